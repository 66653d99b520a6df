"""How a command runs: one sentence on stderr and exit status 2 for anything that a person can mend.

NEUROGEN_DEBUG=1 shows where an error arose instead. SIGTERM ends a command by an exception, so that what is
half-written is removed on the way out; so do Ctrl-C and, unless nohup has it ignored, a terminal that is closed.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import typer


def run_command(app: typer.Typer, name: str) -> NoReturn:
    """Run the command line of `app`, which calls itself `name`; always ends by SystemExit."""
    before, shown_before = leave_by_exception(), warnings.showwarning
    warnings.showwarning = lambda message, *_, **__: tell(name, str(message))
    try:
        status = app(prog_name=name, standalone_mode=False)
    except (ValueError, OSError, ImportError, MemoryError) as error:
        if os.environ.get("NEUROGEN_DEBUG"):
            raise
        tell(name, _sentence(error))
        raise SystemExit(2) from None
    except Exception as error:
        if type(error).__name__ == "Abort":  # typer's word for Ctrl-C
            raise SystemExit(128 + signal.SIGINT) from None
        if not hasattr(error, "format_message"):
            raise
        _show_usage(error, name)
        raise SystemExit(2) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        warnings.showwarning = shown_before
    raise SystemExit(status or 0)


def tell(name: str, text: str) -> None:
    """One line on stderr, headed by the command's name."""
    sys.stderr.write(f"{name}: {' '.join(text.split())}\n")


def leave_by_exception() -> dict[signal.Signals, Any]:
    """Let SIGTERM and SIGHUP end this process by SystemExit; the handlers that were there before."""
    numbers = [signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        numbers.append(signal.SIGHUP)
    return {number: signal.signal(number, _leave) for number in numbers}


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _show_usage(error: Any, name: str) -> None:
    """One sentence for a command line that typer cannot read; the help where it holds nothing at all."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" or context is None:
        error.show()
        return
    message = " ".join(error.format_message().split()).rstrip(".")
    tell(name, f"{message[0].lower()}{message[1:]}; see {context.command_path} --help")


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space" if full else "check the path and its permissions"
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror[0].lower()}{error.strerror[1:]}; {advice}"
    if isinstance(error, MemoryError):
        return "it does not fit the memory; take smaller parts"
    return str(error) or type(error).__name__
