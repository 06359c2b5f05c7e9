"""The command while it is being loaded: Ctrl-C ends it at once, as it ends any program, without a traceback.

There is nothing to save yet. The package imports this file before everything else, and `cli.main` calls
`ended`; where the package is imported by another program nothing is changed.
"""

import os.path
import signal
import sys

NAMES = ("tinygrad-notes", "tinygrad_notes")  # of the script, and behind python -m


def _is_the_command() -> bool:
    if sys.argv[:1] == ["-m"]:  # what Python says while it imports the package of `python -m PACKAGE`
        return "tinygrad_notes" in sys.orig_argv
    return os.path.splitext(os.path.basename(sys.argv[0]))[0] in NAMES if sys.argv else False


loading = _is_the_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
if loading:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt."""
    global loading
    if loading:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loading = False
