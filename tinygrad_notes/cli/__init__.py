"""The command ``tinygrad-notes``: arguments in, a result on stdout, an exit code out.

Exit codes: 0 done, 1 a check failed or the training diverged, 2 wrong use, 130 interrupted.
Progress and errors go to stderr; an error is one sentence unless TINYGRAD_NOTES_DEBUG=1, but for what
``--detect-anomaly`` finds, which comes with the place of the operation.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

from .. import loading
from .output import print_error

BATCH = r"(?m)^with (--batch-\w+) (\d+)$"  # the note of a training whose memory ran out
RESUMED = "with --resume"  # the note of one that goes on, whose batches are given
DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
NO_THREAD = "can't start new thread"  # Python's word where there is no memory for one, or a limit of them


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never raises for a user's mistake."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ∂ shows ? instead of failing
    try:
        return _run(argv)
    finally:
        for stream in (sys.stdout, sys.stderr):
            _give_up_what_cannot_be_written(stream)


def _run(argv: Sequence[str] | None) -> int:
    from .parser import make_parser

    code = DONE
    try:
        loading.ended()
        words = sys.argv[1:] if argv is None else list(argv)
        arguments = make_parser(words).parse_args(words)
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except SystemExit as exit:  # argparse: --help or wrong use
        return exit.code if isinstance(exit.code, int) else DONE
    except BrokenPipeError:  # the reader of a pipe has seen enough
        return code
    except KeyboardInterrupt:
        print_error("tinygrad-notes: interrupted")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("TINYGRAD_NOTES_DEBUG") == "1":
            raise
        return _explain(error)


def _give_up_what_cannot_be_written(stream: TextIO) -> None:
    """Else Python would try once more at its end, complain, and change the exit code."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):  # no file, or closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _explain(error: Exception) -> int:
    """Print one sentence, and the place of an anomaly; say whose fault it is by the exit code."""
    from ..autograd import AnomalyError
    from ..backend import BackendError, explain

    if isinstance(error, AnomalyError):  # of a forward the place is the traceback, of a backward it is told
        place = traceback.format_tb(error.__traceback__) if "\n" not in str(error) else []
        print_error("\n".join([f"tinygrad-notes: {error}", *"".join(place).splitlines()]))
        return FAILED

    trouble = explain(error)
    if trouble is not None:
        help = f", {_where_and_what_to_try(error)}" if trouble.of_memory else ""
        print_error(f"tinygrad-notes: {trouble.text}{help}")
        return WRONG_USE
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ValueError | OSError | ImportError | BackendError):
        print_error(f"tinygrad-notes: {text}")
        return WRONG_USE
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and text.endswith(NO_THREAD)):
        help = _where_and_what_to_try(error)
        print_error(f"tinygrad-notes: not enough memory ({text or 'no more can be had'}), {help}")
        return WRONG_USE
    if isinstance(error, FloatingPointError):
        print_error(f"tinygrad-notes: {text}")
        return FAILED
    print_error(
        f"tinygrad-notes: unexpected {type(error).__name__}: {text} "
        "(TINYGRAD_NOTES_DEBUG=1 shows where it comes from)"
    )
    return FAILED


def _where_and_what_to_try(error: Exception) -> str:
    """The operation in which memory ran out, if it was one, and the size of the batch to try."""
    from ..autograd.place import rule_of

    rule = rule_of(error)
    where = f"in the {rule}: " if rule else ""
    notes: list[str] = getattr(error, "__notes__", [])
    batches = re.findall(BATCH, "\n".join(notes))
    smaller = next((f"{name} {int(number) // 2}" for name, number in batches if int(number) > 1), None)
    if RESUMED in notes:
        anew = f", or begin a new run with {smaller}" if smaller else ""
        return f"{where}free some memory{anew}; a run that goes on keeps the size of its batches"
    if smaller:
        return f"{where}try {smaller}"
    return f"{where}free some, or ask for less, such as a smaller --batch-size"
