"""The commands of `event-tools`, a file for each group; `event_tools.cli` mounts them.

Nothing but typer is imported at the head of these files: everything else waits for the command that needs it.
"""
