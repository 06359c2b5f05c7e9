"""``python -m benchmarks.results NAME...``: one recorded run of each task, as rows of docs/results.md.

Each is the command itself, ``tinygrad-notes train ...``, with its recipe and no download, in a process and a
run folder of its own; then ``tinygrad-notes eval`` says what the weights make of the test part. Both must say
the same figures. Minutes are those of the training, its start and its pictures included. ``all`` runs every
one. Only the rows of the names given are written anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import harness

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
BEGIN, END = "<!-- rows: python -m benchmarks.results -->\n", "<!-- end of the rows -->\n"
SEED = "--seed 0"

TRAININGS = {
    "digits": f"train lenet5 {SEED}",
    "mlp": f"train mlp {SEED}",
    "species": f"train mlp --data penguins --target species {SEED}",
    "body mass": f"train mlp --data penguins --target body_mass_g {SEED}",
    "word2vec": f"train word2vec {SEED}",
    "charlm": f"train charlm {SEED}",
    "charlm, Transformer": f"train charlm --cell transformer --width 128 --layers 2 --epochs 2 {SEED}",
    "classify": f"train classify {SEED}",
    "seq2seq": f"train seq2seq {SEED}",
    "seq2seq, no attention": f"train seq2seq --attention none {SEED}",
    "translate": f"train translate {SEED}",
}

# Figures by their names in the JSON, and how each is written. Where whole texts are judged (exact), the
# accuracy is that of single ids and left out.
FIGURES = {
    "exact": "{:.2f} % exact",
    "bleu": "BLEU {:.2f}",
    "accuracy": "{:.2f} % right",
    "rmse": "RMSE {:.4g}",
    "mae": "MAE {:.4g}",
    "perplexity": "perplexity {:.3f}",
    "bits_per_character": "{:.3f} bits per character",
    "loss": "loss {:.4f}",
}
SHARES = "exact", "accuracy"


def run(command: str) -> tuple[dict[str, float], float]:
    """The figures of the test part, and the minutes of the training."""
    with TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        start = time.perf_counter()
        trained = _said([*command.split(), "--out", out])
        minutes = (time.perf_counter() - start) / 60
        tested = _said(["eval", out])
    figures = {name: tested[name] for name in FIGURES if name in tested}
    other = {name: trained.get(f"test_{name}") for name in figures}
    if figures != other:
        raise RuntimeError(f"{command}: eval says {figures}, the training said {other}")
    return figures, minutes


def _said(words: list[str]) -> dict[str, Any]:
    """What a command prints as JSON; what it tells while it works goes to the terminal."""
    command = [sys.executable, "-m", "tinygrad_notes", *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def row(name: str, figures: dict[str, float], minutes: float, setting: dict[str, Any]) -> str:
    """A line of the table."""
    shown = [key for key in FIGURES if key in figures and (key, "exact" in figures) != ("accuracy", True)]
    texts = [FIGURES[key].format(figures[key] * (100 if key in SHARES else 1)) for key in shown]
    place = f"{setting['date']}, {setting['cores']} cores, {setting['cpu']}"
    cells = name, f"`{TRAININGS[name]}`", ", ".join(texts), f"{minutes:.1f}", place
    return f"| {' | '.join(cells)} |\n"


def with_row(page: str, name: str, line: str) -> str:
    """The text of the page with `line` as the row of `name`; rows stand in the order of `TRAININGS`.

    Raises ValueError for a page without the marks around the rows.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page must have its rows between {BEGIN.strip()!r} and {END.strip()!r}")
    before, rest = page.split(BEGIN, 1)
    table, after = rest.split(END, 1)
    head, rule, *rows = table.strip("\n").splitlines(keepends=True)
    found = {text.split(" | ")[0].removeprefix("| "): text.rstrip("\n") + "\n" for text in rows}
    found[name] = line
    ordered = [found[key] for key in TRAININGS if key in found]
    return "".join([before, BEGIN, "\n", head, rule.rstrip("\n"), "\n", *ordered, "\n", END, after])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"all, or of: {'; '.join(TRAININGS)}")
    names = parser.parse_args().names
    if unknown := set(names) - {*TRAININGS, "all"}:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from all; {'; '.join(TRAININGS)}")
    for name in TRAININGS if "all" in names else names:
        line = row(name, *run(TRAININGS[name]), harness.setting())
        PAGE.write_text(with_row(PAGE.read_text(encoding="utf-8"), name, line), encoding="utf-8")
        print(line, end="", flush=True)


if __name__ == "__main__":
    main()
