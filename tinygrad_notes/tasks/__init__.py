"""What is learned from what: each task in a module or a folder of its own, which is imported when it is used.

A new task is its module, whose `TASK` is the object, and a line in `MODELS`.
"""

from __future__ import annotations

import importlib

from ..train.options import RunError
from ..train.task import Task

MODELS: dict[str, tuple[str, ...]] = {  # the models of each task, as users type them
    "images": (
        "mlp", "simplecnn", "lenet5", "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "googlenet", "resnet18",
        "resnet34", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110",
    ),
    "language": ("charlm", "tokenlm"),
    "words": ("word2vec",),
    "seq2seq": ("seq2seq",),
    "translation": ("translate",),
    "labels": ("classify",),
    "tables": ("mlp",),
}  # fmt: skip


def find_task(name: str) -> Task:
    """The task called `name`. Raises RunError for an unknown one."""
    if name not in MODELS:
        raise RunError(f"unknown task {name!r}; there are {', '.join(MODELS)}")
    task: Task = importlib.import_module(f".{name}", __package__).TASK
    return task


def task_of(model: str, data: str | None = None) -> Task:
    """The task that trains `model`: of several the one whose kind `data` is, else the first.

    Raises RunError for a model that no task has.
    """
    names = [name for name, models in MODELS.items() if model in models]
    if not names:
        known = dict.fromkeys(model for models in MODELS.values() for model in models)
        raise RunError(f"unknown model {model!r}; train knows {', '.join(known)}")
    tasks = [find_task(name) for name in names]
    if data is None:
        return tasks[0]
    return next((task for task in tasks if task.takes(data)), tasks[0])
