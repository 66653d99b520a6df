"""One file per format: `read_file`, `write_file` where it can be written, `describe`, and how to recognise it."""
