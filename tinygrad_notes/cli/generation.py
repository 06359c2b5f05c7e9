"""``generate``: what a trained language model writes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..models.decoding import Sampling
from ..tasks import find_task
from ..tasks.language.generation import default_prompt, written
from ..tasks.language.texts import Units
from ..train.config import read_task
from ..train.options import RunError
from ..train.run import load_trained, trained_model
from . import DONE
from .output import print_json


def generate_command(arguments: argparse.Namespace) -> int:
    """The text goes to stdout as it is made, the prompt first."""
    folder = Path(arguments.run_dir)
    task = find_task(read_task(folder))
    if task.name != "language":
        raise RunError(f"{folder}: a run of the task {task.name!r}; generate is for charlm and tokenlm")
    choose = Sampling(arguments.temperature, arguments.top_k, arguments.top_p, arguments.seed)
    if arguments.length < 1:
        raise RunError(f"--length must be at least 1, got {arguments.length}")
    config, state = load_trained(task, folder)
    model, units = trained_model(folder, config, state), Units.from_facts(config.facts)
    prompt = default_prompt(units) if arguments.prompt is None else arguments.prompt
    pieces = written(model, config.settings, units, prompt, arguments.length, choose)
    if arguments.json:
        text = "".join(pieces)
        print_json({"run": str(folder), "prompt": prompt, "text": text, "seed": arguments.seed})
        return DONE
    sys.stdout.write(prompt if arguments.prompt is not None else "")
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
    return DONE
