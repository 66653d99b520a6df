"""The `event-tools` command, also mounted as `neurogen events`; what each command does lies in `event_tools.commands`.

Answers go to stdout, talk to stderr; an error that a person can mend is one sentence and exit status 2. Everything
but typer is imported inside the command that needs it, so that --help is instant.
"""

from __future__ import annotations

import typer

from event_tools.command import run_command
from event_tools.commands.compare import compare
from event_tools.commands.convert import convert
from event_tools.commands.edit import cut, filter, merge
from event_tools.commands.frames import frames, unframe
from event_tools.commands.info import info
from event_tools.commands.show import show, to_video
from event_tools.commands.simulate import simulate

app = typer.Typer(
    name="event-tools",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Event recordings: read, write, bin, place, filter and show them.",
    epilog="Example: event-tools info 00002.bin",
)
EXAMPLES = (
    (info, "info 00002.bin --json"),
    (convert, "convert N-MNIST.zip recordings --to aedat4"),
    (frames, "frames N-MNIST.zip counts --steps 10"),
    (unframe, "unframe counts recordings --to aedat4 --refractory-us 1700"),
    (filter, "filter 00002.bin clean.aedat4 denoise:window_us=5000 refractory:us=1000"),
    (cut, "cut gesture.aedat4 clips --to h5 --every-us 500000"),
    (merge, "merge left.aedat4 right.aedat4 both.aedat4"),
    (show, "show recordings --out page.html"),
    (to_video, "to-video gesture.aedat4 --out gesture.mp4 --step-us 5000"),
    (compare, "compare generated real --json"),
    (simulate, "simulate cifar-10-batches-bin DVS-CIFAR10 --preset dvs_cifar10 --count 1000"),
)
for _command, _example in EXAMPLES:
    app.command(_example.partition(" ")[0], epilog=f"Example: event-tools {_example}")(_command)


def main() -> None:
    """Run the command line; exits 2 with one sentence for anything a person can mend."""
    run_command(app, "event-tools")
