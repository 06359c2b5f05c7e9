"""Commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import importlib
import textwrap
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from .. import __version__, backend
from ..train.options import filled
from .output import print_error

BY_DIFFERENCES = """columns, all of them relative errors:
  order 1, 2   gradients, and gradients of gradients, against finite differences
  tape         the backward on arrays against the same backward on Tensors"""
COLUMNS = f"""{BY_DIFFERENCES}
  proof        the backward on symbols, at 50 digits
  torch y, g   values and gradients against PyTorch, where it is installed"""


class Parser(argparse.ArgumentParser):
    """Wrong use in one sentence. What is declared without a type must not be empty."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.register("type", None, filled)
        self.set_defaults(command=self)
        self.named = self.prog  # what --help is asked of
        self.hint = ""  # said of options that are unknown

    def parse_args(self, words: Any = None, namespace: Any = None) -> Any:
        """An unknown option is a mistake of the command that it was given to."""
        found, unknown = self.parse_known_args(words, namespace)
        if unknown:
            hint = f"; {found.command.hint}" if found.command.hint else ""
            found.command.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found

    def error(self, message: str) -> NoReturn:
        print_error(f"{self.prog}: {message}; see {self.named} --help")
        raise SystemExit(2)


def make_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of all commands. `argv` tells which options `train` and `eval` have: those of the model's
    task."""
    parser = Parser(
        prog="tinygrad-notes",
        description="Train, inspect and check the networks of the notes. Works offline.",
        epilog="exit codes: 0 done, 1 failed check, 2 wrong use, 130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-notes {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.type = str  # its value is the rest of the line: what may be empty there, a command says

    def command(name: str, module: str, text: str, example: str, json: bool = True) -> Parser:
        added = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False,
            epilog=f"example:\n  {example}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if json:
            added.add_argument("--json", action="store_true", help="print the result as JSON")
        added.set_defaults(run=_later(module, name))
        return added

    train = command("train", "training", "train a model; what is not given comes from its recipe",
                    "tinygrad-notes train lenet5 --seed 1")  # fmt: skip
    _train(train, argv[1:] if argv[:1] == ["train"] else None)
    evaluate = command("eval", "evaluation", "what a trained model makes of the test part",
                       "tinygrad-notes eval runs/lenet5 --json")  # fmt: skip
    evaluate.add_argument("run_dir", metavar="RUN_DIR", help="a folder that train made")
    evaluate.add_argument("--data", metavar="D", help="other data than the run's: a name or a path")
    predict = command("predict", "evaluation", "what a trained model says of files, or of words",
                      "tinygrad-notes predict runs/lenet5 three.png seven.png")  # fmt: skip
    predict.add_argument("run_dir", metavar="RUN_DIR", help="a folder that train made")
    predict.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="an image file, a text, a table or column=value,...: what the run reads",
    )
    for name, added, kind in (("eval", evaluate, "Testing"), ("predict", predict, "Predicting")):
        added.add_argument("--checkpoint", choices=("best", "last"),
                           help="which epoch (default: the best, where there was a validation)")  # fmt: skip
        added.epilog = f"{name} RUN_DIR --help has the options of the run's task, too\n\n{added.epilog}"
        if argv[:1] == [name]:
            _of_run(added, argv[1:], kind)
    evaluate.add_argument("--download", action="store_true", help="fetch the data if it is missing")

    generate = command("generate", "generation", "what a trained language model writes",
                       "tinygrad-notes generate runs/charlm --prompt 'The ' --top-k 20")  # fmt: skip
    generate.add_argument("run_dir", metavar="RUN_DIR", help="a folder that train charlm or tokenlm made")
    generate.add_argument(
        "--prompt", metavar="TEXT", type=str, help="what to go on from (default: a new line)"
    )
    add = generate.add_argument
    add("--length", metavar="N", type=int, default=400, help="ids to write (default 400)")
    add("--temperature", metavar="X", type=float, default=0.8, help="0: always the likeliest (default 0.8)")
    add("--top-k", metavar="K", type=int, help="draw from the K likeliest only")
    add("--top-p", metavar="P", type=float, help="draw from the fewest of at least this probability")
    add("--seed", metavar="S", type=_seed, default=0, help="of the draws (default 0)")

    source = "a folder that train word2vec made, or a file of word2vec or GloVe"
    near = command("neighbors", "words", "the words nearest to a word",
                   "tinygrad-notes neighbors runs/word2vec list")  # fmt: skip
    like = command("analogy", "words", "what is to C as B is to A, by vectors of words",
                   "tinygrad-notes analogy runs/word2vec list lists tuple")  # fmt: skip
    rows = command("vectors", "words", "write vectors of words to a file, or evaluate them",
                   "tinygrad-notes vectors runs/word2vec --out vectors.txt")  # fmt: skip
    for added, words in ((near, ("word",)), (like, ("a", "b", "c")), (rows, ())):
        added.add_argument("source", metavar="RUN_DIR", help=source)
        for word in words:
            added.add_argument(word, metavar=word.upper(), help="a word")
        if words:
            added.add_argument("--count", metavar="N", type=int, default=8, help="words to show (default 8)")
    rows.add_argument("--out", metavar="FILE", help="the file to write")
    rows.add_argument("--form", choices=("word2vec", "word2vec-binary", "glove"),
                      help="of the file (default word2vec: text)")  # fmt: skip
    rows.add_argument("--evaluate", metavar="FILE", help="questions-words.txt, or pairs of words and scores")

    summary = command("summary", "inspection", "layers, output shapes, parameters and multiply-adds",
                      "tinygrad-notes summary lenet5")  # fmt: skip
    summary.add_argument(
        "model", metavar="MODEL", help="a network of the notes, e.g. lenet5, or a folder that train made"
    )
    summary.add_argument("--variant", metavar="V", help="a published form of it; diff lists them")
    diff = command("diff", "difference", "how the published forms of a network or a recurrent cell differ",
                   "tinygrad-notes diff alexnet")  # fmt: skip
    diff.add_argument(
        "model", metavar="MODEL", help="a network of the notes, e.g. alexnet, or rnn, lstm, gru"
    )
    derive = command("derive", "derivation", "a derivation, each step computed; or the chain of a network",
                     "tinygrad-notes derive batch_norm --numbers --lang zh")  # fmt: skip
    derive.add_argument(
        "operation", metavar="OP", help="an operation (sigmoid, lstm), an optimizer, xavier, or a network"
    )
    derive.add_argument("--numbers", action="store_true", help="with an example small enough for paper")
    derive.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the reasons")
    graph = command("graph", "inspection", "the recorded graph of a small example, or of a network",
                    "tinygrad-notes graph lenet5 --dot | dot -Tsvg > lenet5.svg")  # fmt: skip
    graph.add_argument("model", metavar="MODEL", nargs="?", help="default: a small example")
    graph.add_argument("--dot", action="store_true", help="print in Graphviz's language")

    pairs = command("bpe", "text", "byte pairs: learn them from a text, and split words by them",
                    "tinygrad-notes bpe train --size 2000 --out pairs.json && tinygrad-notes bpe show "
                    "pairs.json 'the lowest'", json=False)  # fmt: skip
    _byte_pairs(pairs)

    study = command("study", "studies", "a small comparison, of activations or optimizers for example",
                    "tinygrad-notes study activation")  # fmt: skip
    study.add_argument("topic", metavar="TOPIC", nargs="?", help="left out: the topics are listed")
    study.add_argument("--seed", type=_seed, default=0, metavar="S", help="of every draw (default 0)")
    study.add_argument("--out", metavar="FILE", help="the plot, a PNG (default study-TOPIC.png)")
    study.add_argument("--no-plot", action="store_true", help="only the table and the sentence")

    look = command("data", "data", "a look at a table or at images before training",
                   "tinygrad-notes data penguins --target species --out penguins.png")  # fmt: skip
    add = look.add_argument
    add("path", metavar="PATH", help="penguins, a file .csv, .tsv or .parquet; or digits, a folder of images")
    add("--target", metavar="COLUMN", help="what will be told from the other columns")
    add("--decimal-comma", action="store_true", help="in files of text 3,5 is a number")
    add("--out", metavar="FILE", help="write histograms there (PNG)")

    for name, text in (("gradcheck", "compare gradients with finite differences, to second order"),
                       ("verify", "prove gradients on symbols, and catch wrong ones")):  # fmt: skip
        check = command(name, "checks", text, f"tinygrad-notes {name} sigmoid softmax")
        check.add_argument("operations", metavar="OP", nargs="*", help="default: all")
        check.epilog = f"{COLUMNS if name == 'verify' else BY_DIFFERENCES}\n\n{check.epilog}"
    command("doctor", "doctor", "what this installation has, and what it computes on",
            "tinygrad-notes doctor")  # fmt: skip
    return parser


def _seed(text: str) -> int:
    """A seed that NumPy takes."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


def _byte_pairs(parser: argparse.ArgumentParser) -> None:
    """The four commands of `bpe`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    actions.type = str

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
        )
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        return added

    train = action("train", "learn from text files (default: the topics of Python's help)")
    reading = [train]
    train.add_argument("files", metavar="FILE", nargs="*", help="UTF-8 text; .gz is unpacked")
    train.add_argument("--size", metavar="N", type=int, default=8000, help="tokens at most (default 8000)")
    train.add_argument("--kind", choices=("bytes", "words"), default="bytes",
                       help="of bytes in GPT-2's pieces, or of characters (default bytes)")  # fmt: skip
    train.add_argument("--special", metavar="TOKEN", action="append", help="a token that is never split")
    train.add_argument("--out", metavar="FILE", required=True, help="the file to write (JSON)")
    for name, text in (("encode", "the ids of a text"), ("decode", "the text of ids"),
                       ("show", "how each word is split, merge by merge")):  # fmt: skip
        added = action(name, text)
        added.add_argument("tokenizer", metavar="FILE", help="what train wrote, or a folder of GPT-2's files")
        if name == "decode":
            added.add_argument("ids", metavar="ID", nargs="*", help="default: those on stdin")
        elif name == "encode":
            added.add_argument("text", metavar="TEXT", type=str, nargs="?", help="default: that on stdin")
            reading.append(added)
        else:
            added.add_argument("text", metavar="TEXT", type=str)
    for added in reading:
        added.add_argument("--errors", choices=("raise", "replace"), default="raise",
                           help="what bytes that are no UTF-8 do (default raise)")  # fmt: skip


def _train(parser: Parser, words: Sequence[str] | None) -> None:
    """The options of `train`: of the model that `words` name, or else those that every task has."""
    add = parser.add_argument
    add("model", metavar="MODEL", nargs="?", help="what to train; left out with --resume")
    add("--out", metavar="DIR", help="the run folder (default runs/MODEL-DATE-TIME)")
    add("--resume", metavar="DIR", help="go on with the run in DIR (--epochs may be raised)")
    add("--download", action="store_true", help="fetch the data if it is missing")
    add("--detect-anomaly", action="store_true", help="name the operation that makes the first NaN (slow)")
    if words is None:
        return
    from ..tasks import MODELS, task_of
    from ..train.options import add_options
    from ..train.settings import Settings

    known = {model for models in MODELS.values() for model in models}
    valued = ("--out", "--resume", "--data", "--validation")  # what follows these may be called like a model
    pairs = list(pairwise(["", *words]))
    model = next((w.lower() for before, w in pairs if w.lower() in known and before not in valued), None)
    if model is None and words and not words[0].startswith("-"):
        task_of(words[0].lower())  # tells which there are
    if model is None:
        group = parser.add_argument_group("options of every model; each has its own defaults")
        add_options(group, Settings, show_defaults=False)
        listed = "\n".join(
            textwrap.fill(f"{task}: {', '.join(models)}", 78, initial_indent="  ", subsequent_indent="    ")
            for task, models in MODELS.items()
        )
        parser.epilog = (
            f"models by task; train MODEL --help has a model's own options:\n{listed}\n\n{parser.epilog}"
        )
        return
    given = [*pairs, *(word.split("=", 1) for word in words if word.startswith("--data="))]
    data = next((word for before, word in given if before == "--data"), None)
    task = task_of(model, data)
    others = _others(model, task.name)
    parser.named, parser.hint = f"{parser.prog} {model}", others or ""
    parser.epilog = f"example:\n  {parser.prog} {model} {task.example}"
    group = parser.add_argument_group(f"options of {model} (task: {task.name})", others)
    add_options(group, task.Settings, task.models[model])


def _others(model: str, name: str) -> str | None:
    """That other tasks train a model of this name, with other options."""
    from ..tasks import MODELS, find_task

    others = [task for task, models in MODELS.items() if model in models and task != name]
    if not others:
        return None
    example = f"train {model} {find_task(others[0]).example} --help"
    return f"{model} learns {' and '.join(others)} as well, with other options; --data decides: {example}"


def _of_run(parser: argparse.ArgumentParser, words: Sequence[str], kind: str) -> None:
    """The options of class `kind` that the task of a run has: the first of `words` that is its folder."""
    from ..tasks import find_task
    from ..train.config import NAME, read_task
    from ..train.options import add_options

    folder = next((Path(word) for word in words if Path(word, NAME).is_file()), None)
    if folder is not None:
        task = find_task(read_task(folder))
        add_options(parser.add_argument_group(f"options of the task {task.name}"), getattr(task, kind))


def _later(module: str, name: str) -> Callable[[argparse.Namespace], Any]:
    """The function `name`_command of a module that is imported when the command runs.

    It raises what the backend refused, but for doctor, which explains it.
    """

    def run(arguments: argparse.Namespace) -> Any:
        if backend.refused is not None and name != "doctor":
            raise backend.refused
        return getattr(importlib.import_module(f".{module}", __package__), f"{name}_command")(arguments)

    return run
