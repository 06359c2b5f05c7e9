"""``data``: a look at a table, or at images, before anything is learned from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..data.images_description import describe_images
from ..data.sources import NAMES as IMAGES
from ..data.tables import PENGUINS, read_table
from ..data.tables.describe import MOST_SHOWN, describe
from ..tasks.lettering import missing_fonts_told
from ..train.options import RunError
from ..train.progress import show
from . import DONE
from .output import picture_file, print_error, print_json, print_table


def data_command(arguments: argparse.Namespace) -> int:
    if arguments.out is not None:
        arguments.out = picture_file(arguments.out)
    if arguments.path in IMAGES or (arguments.path != PENGUINS and Path(arguments.path).is_dir()):
        _look_at_images(arguments)
    else:
        _look_at_table(arguments)
    if arguments.out is not None and not arguments.json:
        print(f"\nhistograms: {arguments.out}")
    return DONE


def _look_at_table(arguments: argparse.Namespace) -> None:
    table = read_table(arguments.path, arguments.decimal_comma)
    found = describe(table, arguments.target)
    if arguments.out is not None:
        from .data_pictures import table_histograms

        with missing_fonts_told(print_error):
            table_histograms(table, arguments.target, arguments.out)
    if arguments.json:
        print_json({"data": arguments.path, **found})
        return
    print(
        f"{arguments.path}: {found['rows']:,} rows, {len(found['columns'])} columns, {found['missing']:,} "
        f"values missing, {found['duplicates']:,} duplicate rows"
    )
    _print_columns(found)
    for column in found["columns"]:
        if "trouble" in column:
            print(f"\n{column['trouble']}")
    if found.get("classes"):
        print(f"\n{arguments.target}: {len(found['classes'])} classes")
        known = sum(found["classes"].values())
        shown = list(found["classes"].items())[:MOST_SHOWN]
        print_table(["class", "rows", "share"], [[c, f"{n:,}", f"{100 * n / known:.1f} %"] for c, n in shown])
    names, matrix = found["correlations"]["columns"], found["correlations"]["matrix"]
    if len(names) > 1:
        print("\ncorrelations")
        rows = [
            [name, *("-" if r is None else f"{r:.2f}" for r in row)]
            for name, row in zip(names, matrix, strict=True)
        ]
        print_table(["", *names], rows)


def _print_columns(found: dict[str, Any]) -> None:
    parts: dict[str, list[Any]] = {"numbers": [], "words": []}
    for column in found["columns"]:
        parts["numbers" if column["kind"] == "numbers" else "words"].append(column)
    figures = ("min", "quartile_1", "median", "quartile_3", "max", "mean", "std")
    if parts["numbers"]:
        print()
        print_table(
            ["numbers", "missing", "distinct", *figures, "outliers"],
            [[c["name"], c["missing"], c["distinct"], *(_short(c.get(f)) for f in figures),
              c.get("outliers", "-")] for c in parts["numbers"]],
        )  # fmt: skip
    if parts["words"]:
        print()
        print_table(
            ["words", "most frequent", "missing", "distinct"],
            [[c["name"], _words(c), c["missing"], c["distinct"]] for c in parts["words"]], left=2,
        )  # fmt: skip


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _words(column: dict[str, Any]) -> str:
    shown = [f"{word} {count:,}" for word, count in list(column["words"].items())[:4]]
    return ", ".join(shown) + ", ..." * (column["distinct"] > len(shown))


def _look_at_images(arguments: argparse.Namespace) -> None:
    for name in ("target", "decimal_comma"):
        if getattr(arguments, name):
            flag = name.replace("_", "-")
            raise RunError(f"{arguments.path} holds images, and --{flag} is of tables: leave it out")
    progress = show()
    try:
        found, pixels = describe_images(arguments.path, progress.work)
    finally:
        progress.close()
    if arguments.out is not None:
        from .data_pictures import image_histograms

        with missing_fonts_told(print_error):
            image_histograms(found, pixels, arguments.out)
    if arguments.json:
        print_json({"data": arguments.path, **found})
        return
    damaged = found["damaged"]
    print(
        f"{arguments.path}: {found['images']:,} images of {len(found['classes'])} classes, "
        f"{len(damaged)} damaged"
    )
    for one in damaged[:5]:
        print(f"  {one['file']}: {one['reason']}")
    for side in ("width", "height"):
        if side in found:
            print(f"{side}: {found[side]['min']} to {found[side]['max']}, median {found[side]['median']:g}")
    print(f"files: {', '.join(f'{n:,} {kind}' for kind, n in found['files'].items())}" if "files" in found
          else f"sizes: {', '.join(found['sizes'])}")  # fmt: skip
    levels = zip(found["mean"], found["std"], strict=True)
    print(f"mean and deviation of pixels, 0 to 255: {', '.join(f'{m:.1f} ± {s:.1f}' for m, s in levels)}\n")
    parts = list(next(iter(found["classes"].values())))
    totals = {part: max(sum(c[part] for c in found["classes"].values()), 1) for part in parts}
    rows = [[name, *(f"{n[p]:,}" for p in parts), *(f"{100 * n[p] / totals[p]:.1f} %" for p in parts)]
            for name, n in found["classes"].items()]  # fmt: skip
    print_table(["class", *parts, *(f"of {part}" for part in parts)], rows)
