"""``python -m benchmarks.tables``: the perceptron on the penguins, beside scikit-learn on the same rows.

For each seed, which draws the split and the weights: the share of unseen penguins whose species is right, and
the error of the body mass, of linear regression from the same features as well. Linear regression may learn
from the validation part too, which the perceptron only has to choose the epoch by.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tinygrad_notes.tasks.tables import TASK
from tinygrad_notes.train.run import Run


def trained(target: str, seed: int, **options: Any) -> tuple[Run, dict[str, float]]:
    """A run with the defaults, and what the weights of its best epoch make of the test part."""
    settings = TASK.settings("mlp", target=target, seed=seed, **options)
    with TemporaryDirectory() as folder:
        run = Run.start(TASK, settings, Path(folder) / "run")
        run.fit()
        outcome = run.test()
    assert outcome is not None
    return run, outcome.figures


def linear_rmse(run: Run) -> float:
    """Of scikit-learn's LinearRegression, in the unit of the target."""
    from sklearn.linear_model import LinearRegression

    learned = [run.parts.train, run.parts.validation]
    x, y = (np.concatenate([getattr(part, name) for part in learned]) for name in ("inputs", "targets"))
    test = run.parts.test
    away = LinearRegression().fit(x, y).predict(test.inputs) - test.targets
    return float(np.sqrt((away.astype(float) ** 2).mean()) * run.facts["std"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'seed':>4}  {'species right':>13}  {'body mass: RMSE':>15}  {'linear regression':>17}")
    rows = []
    for seed in range(arguments.seeds):
        accuracy = trained("species", seed)[1]["accuracy"]
        run, figures = trained("body_mass_g", seed)
        rows.append((100 * accuracy, figures["rmse"], linear_rmse(run)))
        print(f"{seed:4}  {rows[-1][0]:11.2f} %  {rows[-1][1]:13.1f} g  {rows[-1][2]:15.1f} g", flush=True)
    right, ours, theirs = map(mean, zip(*rows, strict=True))
    print(f"mean  {right:11.2f} %  {ours:13.1f} g  {theirs:15.1f} g")


if __name__ == "__main__":
    main()
