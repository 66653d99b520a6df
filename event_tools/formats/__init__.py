"""One file per format: SUFFIXES, MAGIC where it has one, `decode(bytes)`, and `write_file` where it can be written."""
