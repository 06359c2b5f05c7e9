"""``python -m tinygrad_notes`` is the command ``tinygrad-notes``."""

import sys

from .cli import main

sys.exit(main())
