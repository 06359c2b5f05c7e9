"""``neighbors``, ``analogy`` and ``vectors``: what vectors of words say, those of a run or of a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data import WordVectors, evaluate_vectors, load_vectors
from ..tasks import find_task
from ..tasks.words.task import known, nearest, vectors_of
from ..train.config import read_task
from ..train.options import RunError
from ..train.run import load_trained, trained_model
from . import DONE
from .output import print_json, print_table


def neighbors_command(arguments: argparse.Namespace) -> int:
    """The words nearest to a word."""
    vectors = _vectors(arguments.source)
    found = nearest(vectors, arguments.word, _count(arguments))
    return _print({"source": arguments.source, "word": arguments.word}, found, arguments.json)


def analogy_command(arguments: argparse.Namespace) -> int:
    """What is to C as B is to A."""
    vectors = _vectors(arguments.source)
    given = arguments.a, arguments.b, arguments.c
    found = vectors.analogy(*(known(vectors, word) for word in given), _count(arguments))
    return _print({"source": arguments.source, "given": list(given)}, found, arguments.json)


def vectors_command(arguments: argparse.Namespace) -> int:
    """Write vectors to a file, or evaluate them."""
    if arguments.form is not None and arguments.out is None:
        raise ValueError("--form is of the file that --out names; give --out FILE")
    vectors = _vectors(arguments.source)
    result = {"source": arguments.source, "words": len(vectors), "dimensions": vectors.vectors.shape[1]}
    if arguments.evaluate is not None:
        result |= {"evaluation": evaluate_vectors(vectors, arguments.evaluate)}
    if arguments.out is not None:
        form = arguments.form or "word2vec"
        vectors.save(arguments.out, form)
        result |= {"file": arguments.out, "form": form}
    if arguments.json:
        print_json(result)
        return DONE
    evaluation = result.pop("evaluation", {})
    evaluation.pop("sections", None)
    print_table(["", "value"], [(name, value) for name, value in {**result, **evaluation}.items()])
    return DONE


def _vectors(source: str) -> WordVectors:
    """Of a run folder the best epoch's, or those of a file of word2vec or GloVe."""
    folder = Path(source)
    if folder.is_file():
        return load_vectors(folder)
    task = find_task(read_task(folder))
    if task.name != "words":
        raise RunError(f"{folder}: a run of the task {task.name!r}; vectors of words are made by word2vec")
    config, state = load_trained(task, folder)
    return vectors_of(config.facts, trained_model(folder, config, state))


def _count(arguments: argparse.Namespace) -> int:
    if arguments.count < 1:
        raise RunError(f"--count must be at least 1, got {arguments.count}")
    return int(arguments.count)


def _print(head: dict[str, object], found: list[tuple[str, float]], as_json: bool) -> int:
    if as_json:
        print_json({**head, "neighbors": dict(found)})
    else:
        print_table(["word", "cosine"], [(word, f"{cosine:.3f}") for word, cosine in found])
    return DONE
