"""Commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any, NoReturn

from .. import __version__, backend
from .output import print_error


class Parser(argparse.ArgumentParser):
    """Wrong use in one sentence."""

    def error(self, message: str) -> NoReturn:
        print_error(f"{self.prog}: {message}; see {self.prog} --help")
        raise SystemExit(2)


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tinygrad-notes",
        description="Train, inspect and check the networks of the notes. Works offline.",
        epilog="exit codes: 0 done, 1 failed check, 2 wrong use, 130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-notes {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, module: str, text: str, example: str, json: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False,
            epilog=f"example:\n  {example}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if json:
            added.add_argument("--json", action="store_true", help="print the result as JSON")
        added.set_defaults(run=_later(module, name))
        return added

    _train(
        command(
            "train",
            "training",
            "train a network; what is not given comes from its recipe",
            "tinygrad-notes train lenet5 --seed 1",
        )
    )
    evaluate = command("eval", "training", "accuracy and confusion matrix of a trained network",
                       "tinygrad-notes eval runs/lenet5 --json")  # fmt: skip
    evaluate.add_argument("run_dir", metavar="RUN_DIR", help="a folder that train made")
    evaluate.add_argument("--data", metavar="D", help="other data than the run's: a name or a folder")
    evaluate.add_argument("--ten-crop", action="store_true",
                          help="mean of the softmax of ten views: corners, middle, mirrored")  # fmt: skip
    _on_error(evaluate)
    evaluate.add_argument("--download", action="store_true", help="fetch the data if it is missing")

    summary = command("summary", "inspection", "layers, output shapes, parameters and multiply-adds",
                      "tinygrad-notes summary lenet5")  # fmt: skip
    summary.add_argument("model", metavar="MODEL", help="a network of the notes, e.g. lenet5")
    summary.add_argument("--variant", metavar="V", help="a published form of it; diff lists them")
    diff = command("diff", "difference", "how the published forms of a network or a recurrent cell differ",
                   "tinygrad-notes diff alexnet")  # fmt: skip
    diff.add_argument(
        "model", metavar="MODEL", help="a network of the notes, e.g. alexnet, or rnn, lstm, gru"
    )
    derive = command("derive", "derivation", "an operation's formula, its rules and its derivative",
                     "tinygrad-notes derive sigmoid")  # fmt: skip
    derive.add_argument("operation", metavar="OP", help="an operation, e.g. sigmoid or cross_entropy")
    graph = command("graph", "inspection", "the recorded graph of a small example, or of a network",
                    "tinygrad-notes graph lenet5 --dot | dot -Tsvg > lenet5.svg")  # fmt: skip
    graph.add_argument("model", metavar="MODEL", nargs="?", help="default: a small example")
    graph.add_argument("--dot", action="store_true", help="print in Graphviz's language")

    for name, text in (("gradcheck", "compare gradients with finite differences, to second order"),
                       ("verify", "prove gradients on symbols, and catch wrong ones")):  # fmt: skip
        check = command(name, "checks", text, f"tinygrad-notes {name} sigmoid softmax")
        check.add_argument("operations", metavar="OP", nargs="*", help="default: all")
    command("doctor", "doctor", "what this installation has, and what it computes on",
            "tinygrad-notes doctor")  # fmt: skip
    return parser


def _train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", nargs="?", help="a network, e.g. resnet20; left out with --resume")
    add("--variant", metavar="V", help="a published form of the network, e.g. torchvision")
    add("--data", metavar="D", help="digits (embedded, default), mnist, fashion-mnist, cifar10, or a "
        "folder: CLASS/*, or train/CLASS/* and test/CLASS/*")  # fmt: skip
    _on_error(parser)
    add("--download", action="store_true", help="fetch the data if it is missing")
    add("--epochs", metavar="N", type=_whole(1), help="passes over the data")
    add("--batch-size", metavar="B", type=_whole(1), help="images per step")
    add("--lr", metavar="X", type=_number(positive=True), help="learning rate at the start")
    add("--optimizer", metavar="NAME", help="sgd, adam or adamw")
    add("--momentum", metavar="X", type=_number(), help="of sgd; adam and adamw have none")
    add("--weight-decay", metavar="X", type=_number(), help="pull of the weights towards 0")
    add("--schedule", metavar="NAME", help="cosine (down to 0), step (a tenth after each "
        "quarter), resnet (after 1/2 and 3/4), resnet-warmup (the same, and for the first 400 steps), "
        "googlenet (4 %% less every 8 epochs) or constant")  # fmt: skip
    add("--clip-norm", metavar="X", type=_number(positive=True), help="limit of the gradient's norm")
    add("--shift", metavar="P", type=_whole(0), help="move training images by up to P pixels")
    add("--flip", action=argparse.BooleanOptionalAction, help="mirror training images at random")
    add("--lighting", metavar="X", type=_number(), help="shift colors along their principal components")
    add("--resize", metavar="R", type=_whole(1), help="scale images to this side before the crop")
    add("--size", metavar="S", type=_whole(1), help="side of the network's input, where it is free")
    add("--seed", metavar="S", type=_whole(0), help="of every random draw (default 0)")
    add("--limit", metavar="N", type=_whole(1), help="use the first N images of each part only")
    add("--out", metavar="DIR", help="the run folder (default runs/MODEL-DATE-TIME)")
    add("--resume", metavar="DIR", help="go on with the run in DIR (--epochs may be raised)")
    add("--detect-anomaly", action="store_true", help="name the operation that makes the first NaN (slow)")


def _on_error(parser: argparse.ArgumentParser) -> None:
    choices = ("raise", "skip")
    parser.add_argument(
        "--on-error",
        choices=choices,
        help="of a damaged image: end, or leave it out and list it in files.csv",
    )


def _later(module: str, name: str) -> Callable[[argparse.Namespace], Any]:
    """The function `name`_command of a module that is imported when the command runs.

    It raises what the backend refused, but for doctor, which explains it.
    """

    def run(arguments: argparse.Namespace) -> Any:
        if backend.refused is not None and name != "doctor":
            raise backend.refused
        return getattr(importlib.import_module(f".{module}", __package__), f"{name}_command")(arguments)

    return run


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return value

    return convert


def _number(positive: bool = False) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (0 <= value < float("inf")) or (positive and value == 0):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a number {'above' if positive else 'of at least'} 0"
            )
        return value

    return convert
