"""Write docs/map.md: every file of the package with the first sentence of its docstring.

    python .ci/map.py

A test compares the page with it, so a new file without a docstring or without its place is noticed.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_notes"
PAGE = ROOT / "docs" / "map.md"
HEAD = """\
# The map

Every file of the package, in reading order: first how gradients come about, last the kernels that make it
fast. Imports go another way: `backend`, `autograd`, `ops`, `nn`, `optim` and `data`, `models`, `train`,
`tasks`, `study`, `cli`, each only from those before it; `verify` looks at the operations from outside.

"""
FOLDERS = ("", "autograd", "ops", "nn", "optim", "data", "models", "train", "tasks", "study", "verify", "cli",
           "backend")  # fmt: skip
NOT_PYTHON = {
    "py.typed": "Says that the package has type annotations.",
    "data/digits.npz": "10,000 handwritten digits of MNIST, so that a first training needs no network.",
    "data/DIGITS.md": "Where the digits come from, their license, and how they were split.",
    "data/tables/PENGUINS.md": "Where the penguins come from, and their license.",
    "data/tables/penguins.csv": "344 penguins of 3 species: words and numbers, 19 of them missing.",
    "data/text/TEXTS.md": "Where the embedded texts come from, and their licenses.",
    "data/text/sentences.tsv.gz": "5,000 short sentences, English and Chinese, from Tatoeba.",
    "data/text/surnames.tsv.gz": "10,881 surnames of 19 languages.",
}


def render():
    """The map as Markdown, folders in reading order."""
    files = [f for f in PACKAGE.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    folders = {f.parent for f in files}
    known = {name: i for i, name in enumerate(FOLDERS)}
    unknown = {parts(folder)[0] for folder in folders} - set(known)
    if unknown:
        raise SystemExit(f"error: FOLDERS in .ci/map.py has no place for {sorted(unknown)}.")
    lines = []
    for folder in sorted(folders, key=lambda f: (known[parts(f)[0]], parts(f))):
        lines += [f"## `{folder.relative_to(ROOT).as_posix()}/`", ""]
        lines += [f"- `{f.name}`: {sentence(f)}" for f in sorted(files) if f.parent == folder]
        lines += [""]
    return "\n".join(lines)


def parts(folder):
    return folder.relative_to(PACKAGE).parts or ("",)


def sentence(file):
    """The first sentence of the docstring, which may go on over several lines."""
    name = file.relative_to(PACKAGE).as_posix()
    if file.suffix != ".py":
        return NOT_PYTHON[name]
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    if not text:
        raise SystemExit(f"error: {name} has no docstring.")
    words = []
    for line in text.split("\n\n")[0].splitlines():
        words.append(line)
        if line.endswith("."):
            break
    return " ".join(words)


def page():
    """The whole page."""
    return HEAD + render().rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
