"""`python -m neurogen` is the `neurogen` command."""

from neurogen.cli import main

main()
