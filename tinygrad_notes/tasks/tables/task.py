"""The task itself: rows in, a class or a number out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...data import DataLoader
from ...data.tables import PENGUINS, Preparation, Table, holds_table, read_table, rows_of_words
from ...nn import Module
from ...ops.activation import softmax
from ...train.loop import evaluate
from ...train.plots import new_figure
from ...train.task import Outcome, Parts, Score, Task
from .. import classification
from ..lettering import Lettering
from . import parts
from .network import TableMLP
from .parts import Facts, Rows
from .settings import DEFAULTS, Settings


class Tables(Task):
    """Classes or numbers from rows. Facts: the target, its classes or mean and deviation, the cleaning and
    its report, the names of the inputs, a digest of the table."""

    name = "tables"
    unit = "rows"
    models: Mapping[str, Mapping[str, Any]] = {"mlp": DEFAULTS}
    datasets = (PENGUINS,)
    percent = ("accuracy",)
    example = f"--data {PENGUINS} --target species"
    Settings = Settings

    def takes(self, data: str) -> bool:
        return holds_table(data)

    def load(self, settings: Settings, facts: Facts | None = None, **how: Any) -> Parts:
        return parts.load(settings, facts)

    def build(self, settings: Settings, facts: Facts) -> Module:
        return TableMLP(len(facts["inputs"]), settings.widths, facts)

    def sample(self, settings: Settings, facts: Facts) -> tuple[Any, ...]:
        return ((len(facts["inputs"]),),)

    def batches(
        self, settings: Settings, facts: Facts, part: Rows, training: bool, options: Any = None
    ) -> DataLoader:
        return DataLoader(part, settings.batch_size if training else 1024, shuffle=training)

    def score(self, model: TableMLP, batch: Any, training: bool) -> Score:
        inputs, targets = batch
        output = model(inputs)
        loss, told = model.loss(output, targets), output.detach()
        if model.classes:
            predicted = told.argmax(axis=1)
            hits = {"correct": (predicted == targets).sum()}
            return Score(loss, hits, {"predicted": predicted, "labels": targets})
        missed = (told - targets) * model.unit
        each = {"predicted": told * model.unit + model.mean, "labels": targets * model.unit + model.mean}
        return Score(loss, {"squared": (missed**2).sum(), "absolute": abs(missed).sum()}, each)

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        """Of a number: the root of the mean squared error, and the mean absolute one, in its own unit."""
        if "correct" in sums:
            return {"loss": loss, "accuracy": sums["correct"] / weight}
        return {"loss": loss, "rmse": math.sqrt(sums["squared"] / weight), "mae": sums["absolute"] / weight}

    def test(self, settings: Settings, facts: Facts, model: Module, part: Rows, options: Any) -> Outcome:
        found = evaluate(self, model, self.batches(settings, facts, part, training=False), each=True)
        predicted, labels = found.each["predicted"], found.each["labels"]
        if "classes" in facts:
            outcome = classification.outcome(found.figures, predicted, labels, facts["classes"], self.unit)
        else:
            outcome = _regression(found.figures, predicted[:, 0], labels[:, 0], facts["target"])
        return replace(outcome, text="\n".join([outcome.text, *part.told]))

    def predict(
        self, settings: Settings, facts: Facts, model: Module, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """Of each row of the files named, or typed as column=value,column=value."""
        names, told, outputs = list[str](), list[str](), list[np.ndarray]()
        preparation = Preparation.from_dict(facts["preparation"])
        for name, table in _tables(inputs, settings):
            found = preparation.apply(table)
            told += found.told
            places = np.flatnonzero(found.kept) + 1
            names += [f"{name}, row {i}" for i in places] if holds_table(name) else [name] * len(places)
            with no_grad():
                outputs.append(model(Tensor(found.inputs)).numpy())
        output = np.concatenate(outputs)
        if "classes" in facts:
            shares = softmax(Tensor(output), axis=1).numpy()
            columns = ("input", "class", "probability")
            said: list[tuple[Any, ...]] = [
                (name, facts["classes"][p.argmax()], float(p.max()))
                for name, p in zip(names, shares, strict=True)
            ]
            shown = [[*words, f"{100 * share:.1f} %"] for *words, share in said]
        else:
            columns = ("input", facts["target"])  # type: ignore[assignment]
            values = output[:, 0] * facts["std"] + facts["mean"]
            said = list(zip(names, values.tolist(), strict=True))
            shown = [[name, f"{value:.5g}"] for name, value in said]
        details = {"predictions": [dict(zip(columns, row, strict=True)) for row in said]}
        return Outcome("\n".join(told), details=details, columns=columns, rows=shown, left=len(columns) - 1)

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        """The report of the cleaning, before the training."""
        facts = parts.facts
        what = f"{len(facts['classes'])} classes" if "classes" in facts else f"a number, {facts['target']}"
        told = [line for part in (parts.validation, parts.test) if part is not None for line in part.told]
        head = f"{super().announce(folder, parts)[0]} of {len(facts['inputs'])} inputs, for {what}"
        return [head, *(f"  {line}" for line in facts["report"] + told)]

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """confusion_matrix, or predictions: each number of the test part beside what was predicted."""
        if outcome is None:
            return
        predicted, labels = outcome.each["predicted"], outcome.each["labels"]
        if "classes" in run.facts:
            classes = run.facts["classes"]
            counts = classification.confusion_matrix(predicted, labels, len(classes))
            classification.confusion_plot(counts, classes, run.folder / "confusion_matrix.png")
        else:
            predictions_plot(predicted, labels, run.facts["target"], run.folder / "predictions.png")


def _tables(inputs: Sequence[str], settings: Settings) -> list[tuple[str, Table]]:
    """(what it is called, table) of each file, and of each row that was typed."""
    return [
        (
            word,
            read_table(word, settings.decimal_comma)
            if holds_table(word)
            else rows_of_words([word], "predict"),
        )
        for word in inputs
    ]


def _regression(figures: dict[str, float], predicted: np.ndarray, labels: np.ndarray, target: str) -> Outcome:
    """RMSE and MAE, and R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²: the share of the variance that is explained."""
    spread = float(((labels - labels.mean()) ** 2).sum())
    r2 = 1 - float(((labels - predicted) ** 2).sum()) / spread if spread else math.nan
    text = (f"{target} of {len(labels):,} rows missed by {figures['rmse']:.4g} (root mean square), "
            f"{figures['mae']:.4g} (mean), R² {r2:.3f}, loss {figures['loss']:.4f}")  # fmt: skip
    details: dict[str, Any] = {"samples": len(labels), "r2": None if math.isnan(r2) else r2}
    return Outcome(text, figures, details, each={"predicted": predicted, "labels": labels})


def predictions_plot(predicted: np.ndarray, labels: np.ndarray, target: str, path: Any) -> None:
    """Predicted over true numbers; on the line they are equal. Raises ImportError without Matplotlib."""
    figure = new_figure(5.2, 4.8)
    axes = figure.subplots()
    ends = [min(labels.min(), predicted.min()), max(labels.max(), predicted.max())]
    axes.plot(ends, ends, color="#9ca3af", linewidth=1, zorder=1)
    axes.scatter(labels, predicted, s=18, color="#4269d0", alpha=0.7, linewidths=0)
    lettering = Lettering([target], signs=False)
    name, font = lettering.of(target), {"fontfamily": lettering.family}
    axes.set_xlabel(f"{name}, true", **font)
    axes.set_ylabel(f"{name}, predicted", **font)
    rmse = float(np.sqrt(((predicted - labels) ** 2).mean()))
    axes.set_title(f"{len(labels):,} rows, missed by {rmse:.4g}", loc="left", fontsize=11)
    axes.set_aspect("equal")
    axes.spines[["top", "right"]].set_visible(False)
    lettering.save(figure, path)


TASK = Tables()
