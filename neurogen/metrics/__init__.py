"""How good samples are: figures with their floors, each from a named protocol."""
