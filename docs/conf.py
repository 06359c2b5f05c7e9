"""Sphinx: two trees of pages, docs/ in English and docs/zh/ in Chinese (`-t zh`); `make docs` builds both."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import tinygrad_notes  # noqa: E402

chinese = tags.has("zh")  # noqa: F821  Sphinx passes the tags
project = "tinygrad-notes"
copyright = "the tinygrad-notes authors, MIT license"
release = version = tinygrad_notes.__version__
language = "zh_CN" if chinese else "en"
extensions = [
    "myst_parser", "sphinx_copybutton",
    "mathml", "languages", "rules", "derived", "executed", "operation", "outline",
]  # fmt: skip
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"tinygrad-notes {version}"
html_static_path = [str(DOCS / "_static")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_math_renderer = "mathml"
html_copy_source = False
copybutton_selector = ":not(.output) > div.highlight > pre"  # what was printed is not to be run
copybutton_prompt_text = "$ "
html_use_index = False
templates_path = [str(DOCS / "_templates")]
exclude_patterns = ["_build", "zh"]
nitpicky = True
