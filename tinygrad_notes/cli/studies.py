"""``study``: one comparison of the training focus, as a table, a plot and a sentence."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import study
from . import DONE
from .output import picture_file, print_json, print_table


def study_command(arguments: argparse.Namespace) -> int:
    """Without a topic the topics are listed."""
    if arguments.no_plot and arguments.out is not None:
        raise ValueError("--no-plot makes no picture: leave out --out or --no-plot")
    if arguments.topic is None:
        if arguments.json:
            print_json({"topics": study.TOPICS})
        else:
            print_table(("topic", "what is compared"), list(study.TOPICS.items()), left=2)
        return DONE
    picture = None
    if not arguments.no_plot:
        picture = Path(picture_file(arguments.out or f"study-{arguments.topic}"))
    found = study.run(arguments.topic, arguments.seed)
    if picture is not None:
        found.draw(picture)
    if arguments.json:
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        print_json({"topic": arguments.topic, "rows": rows, "sentence": found.sentence,
                    "picture": None if picture is None else str(picture)})  # fmt: skip
        return DONE
    print_table(found.columns, found.rows)
    print(f"\n{found.sentence}")
    if picture is not None:
        print(f"plot: {picture}")
    return DONE
