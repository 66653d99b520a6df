"""Compiled loops (numba), one file a subject, each imported only inside the function that calls it."""
