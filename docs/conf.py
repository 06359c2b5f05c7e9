"""Sphinx: the pages are MyST Markdown; operations.md shows the rules from the source itself."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import tinygrad_notes  # noqa: E402

project = "tinygrad-notes"
copyright = "the tinygrad-notes authors, MIT license"
release = version = tinygrad_notes.__version__
extensions = ["myst_parser", "rules"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"tinygrad-notes {version}"
exclude_patterns = ["_build"]
nitpicky = True
