"""The command ``tinygrad-notes``: arguments in, a result on stdout, an exit code out.

Exit codes: 0 done, 1 a check failed or the training diverged, 2 wrong use, 130 interrupted.
Progress and errors go to stderr; an error is one sentence unless TINYGRAD_NOTES_DEBUG=1, but for what
``--detect-anomaly`` finds, which comes with the place of the operation.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never raises for a user's mistake."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ∂ shows ? instead of failing
    from .parser import make_parser

    try:
        arguments = make_parser().parse_args(argv)
        code = arguments.run(arguments)
        sys.stdout.flush()
        return int(code)
    except SystemExit as exit:  # argparse: --help or wrong use
        return exit.code if isinstance(exit.code, int) else DONE
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("tinygrad-notes: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("TINYGRAD_NOTES_DEBUG") == "1":
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    """Print one sentence, and the place of an anomaly; say whose fault it is by the exit code."""
    from ..autograd import AnomalyError
    from ..backend import BackendError

    if isinstance(error, AnomalyError):  # of a forward the place is the traceback, of a backward it is told
        place = traceback.format_tb(error.__traceback__) if "\n" not in str(error) else []
        print(f"tinygrad-notes: {error}", "".join(place), sep="\n", end="", file=sys.stderr)
        return FAILED

    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ValueError | OSError | ImportError | BackendError):
        print(f"tinygrad-notes: {text}", file=sys.stderr)
        return WRONG_USE
    if isinstance(error, FloatingPointError):
        print(f"tinygrad-notes: {text}", file=sys.stderr)
        return FAILED
    print(
        f"tinygrad-notes: unexpected {type(error).__name__}: {text} "
        "(TINYGRAD_NOTES_DEBUG=1 shows where it comes from)",
        file=sys.stderr,
    )
    return FAILED
