"""The task itself: images in, one of the classes out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...data import DataLoader, ImageFiles, normalization, principal_colors, with_channels
from ...data.dataset import Progress
from ...data.sources import NAMES
from ...models.count import multiply_adds
from ...nn import Module
from ...ops.activation import log_softmax, softmax
from ...ops.loss import cross_entropy, nll_loss
from ...ops.reduction import logsumexp
from ...train.loop import evaluate
from ...train.options import RunError
from ...train.task import Outcome, Parts, Score, Task
from .. import classification
from . import files
from .parts import load_parts, load_test
from .pipeline import Facts, evaluation_transform, network_shape, training_transform
from .recipes import RECIPES
from .settings import ImageSettings, ImageTesting

EVALUATION_PIXELS = 500 * 32 * 32  # a batch has as many images as hold them, at most 500


class Images(Task):
    """Classes of images. Facts: classes, the shape (C, H, W) of stored images, mean and std of each channel,
    and, where colors are to be shifted, their principal components."""

    name = "images"
    unit = "images"
    models: Mapping[str, Mapping[str, Any]] = {name: recipe.defaults for name, recipe in RECIPES.items()}
    datasets = NAMES
    percent = ("accuracy",)
    Settings = ImageSettings
    Testing = ImageTesting

    def takes(self, data: str) -> bool:
        return data in NAMES or Path(data).is_dir()

    def load(
        self, settings: ImageSettings, facts: Facts | None = None, *, download: bool = False,
        progress: Progress = lambda *call: None,
    ) -> Parts:  # fmt: skip
        parts = load_parts(settings, download, progress)
        train = parts["train"]
        if facts is None:
            facts = _facts(settings, train)
        _check_fit(settings, facts, train)
        return Parts(train, parts.get("validation"), parts["test"], facts)

    def load_test(
        self, settings: ImageSettings, facts: Facts, *, download: bool = False,
        progress: Progress = lambda *call: None,
    ) -> Any:  # fmt: skip
        test = load_test(settings, facts["classes"], download, progress)
        _check_fit(settings, facts, test)
        return test

    def build(self, settings: ImageSettings, facts: Facts) -> Module:
        """Raises ValueError if the network cannot take such images."""
        recipe, shape = RECIPES[settings.model], network_shape(settings, facts["shape"])
        model = recipe.build(shape, len(facts["classes"]), settings.variant or recipe.variants[0])
        multiply_adds(model, shape)  # a pass without arithmetic: networks refuse images that do not fit
        return model

    def sample(self, settings: ImageSettings, facts: Facts) -> tuple[Any, ...]:
        return (network_shape(settings, facts["shape"]),)

    def batches(
        self,
        settings: ImageSettings,
        facts: Facts,
        part: Any,
        training: bool,
        options: ImageTesting | None = None,
    ) -> DataLoader:
        """Where one image would be left for the last batch of an epoch, that batch is dropped: batch
        normalization has no variance over one number. The order is new in each epoch, so is the image."""
        shape = part.images.shape[1:]
        if training:
            lonely = len(part) > 1 == len(part) % settings.batch_size
            transform = training_transform(settings, facts, shape)
            return DataLoader(part, settings.batch_size, shuffle=True, drop_last=lonely, transform=transform)
        ten_crop = options is not None and options.ten_crop
        transform = evaluation_transform(settings, facts, shape, ten_crop)
        _, height, width = network_shape(settings, shape)
        batch = EVALUATION_PIXELS // (height * width * (10 if ten_crop else 1))
        return DataLoader(part, min(max(batch, 1), 500), transform=transform)

    def score(self, model: Module, batch: Any, training: bool) -> Score:
        """The loss of the network, where it has its own, else the cross-entropy.

        Several views of each image, one behind the other (`data.TenCrop`), have their softmax averaged.
        """
        images, labels = batch
        output, loss = model(images), criterion(model)
        if len(images) != len(labels):
            output, loss = mean_of_views(output, len(labels)), nll_loss
        logits = output[0] if isinstance(output, tuple) else output  # the others are auxiliary
        predicted = logits.detach().argmax(axis=1)
        hits = {"correct": (predicted == labels).sum()}
        return Score(loss(output, labels), hits, {"predicted": predicted, "labels": labels})

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        return {"loss": loss, "accuracy": sums["correct"] / weight}

    def test(
        self, settings: ImageSettings, facts: Facts, model: Module, part: Any, options: ImageTesting
    ) -> Outcome:
        batches = self.batches(settings, facts, part, training=False, options=options)
        found = evaluate(self, model, batches, each=True)
        predicted, labels = found.each["predicted"], found.each["labels"]
        return classification.outcome(found.figures, predicted, labels, facts["classes"], self.unit)

    def predict(
        self, settings: ImageSettings, facts: Facts, model: Module, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """The class of each image file, and its probability: the softmax of the network."""
        channels, height, width = facts["shape"]  # files are made what the images of the training were
        paths, classes = [Path(os.path.abspath(name)) for name in inputs], facts["classes"]
        part = with_channels(ImageFiles(paths, [0] * len(paths), classes, (height, width)), channels)
        shares = []
        with no_grad():
            for images, _ in self.batches(settings, facts, part, training=False):
                output = model(images)
                logits = output[0] if isinstance(output, tuple) else output
                shares += list(softmax(logits, axis=1).numpy())
        said = [(name, classes[p.argmax()], float(p.max())) for name, p in zip(inputs, shares, strict=True)]
        columns = ("input", "class", "probability")
        return Outcome(
            details={"predictions": [dict(zip(columns, row, strict=True)) for row in said]},
            columns=columns, rows=[[*words, f"{100 * share:.1f} %"] for *words, share in said], left=2,
        )  # fmt: skip

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        said = [f"{super().announce(folder, parts)[0]} of {len(parts.facts['classes'])} classes"]
        if any(getattr(part, "skipped", ()) for part in parts.named().values()):
            said.append(f"{folder / files.NAME} names every image that was left out")
        return said

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """confusion_matrix, misclassified, first_layer_filters and, for a network with convolutions,
        feature_maps (of the first test image)."""
        from . import pictures

        model, part = run.best_model(), run.parts.test
        shape = network_shape(run.settings, part.images.shape[1:])
        pictures.filters(model, shape, run.folder / "first_layer_filters.png")
        transform = evaluation_transform(run.settings, run.facts, part.images.shape[1:])
        images, _ = next(iter(DataLoader(part, 1, transform=transform, prefetch=0)))
        pictures.feature_maps(model, part, images, run.folder / "feature_maps.png")
        if outcome is not None:
            predicted, classes = outcome.each["predicted"], run.facts["classes"]
            counts = classification.confusion_matrix(predicted, part.labels, len(classes))
            classification.confusion_plot(counts, classes, run.folder / "confusion_matrix.png")
            pictures.mistakes(part, predicted, run.folder / "misclassified.png")

    def notes(self, settings: ImageSettings, parts: Parts) -> dict[str, str]:
        used = files.list_files(settings)
        return {} if used is None else {files.NAME: files.as_csv(used, settings, parts.named().values())}

    def check_notes(self, folder: Path, settings: ImageSettings) -> None:
        files.check_files(folder, settings)

    def changed(self, folder: Path, settings: ImageSettings, parts: Parts) -> list[str]:
        return files.changed_contents(folder, settings, parts.named().values())


def criterion(model: Module) -> Any:
    """The loss that `model` is trained with: mean over the batch of (output, labels)."""
    return getattr(model, "loss", cross_entropy)


def mean_of_views(logits: Tensor, images: int) -> Tensor:
    """log of the mean softmax over the views of each image: (images · views, C) → (images, C)."""
    views = len(logits) // images
    apart = log_softmax(logits, axis=1).reshape(images, views, -1)
    return logsumexp(apart, axis=1) - math.log(views)


def _check_fit(settings: ImageSettings, facts: Facts, part: Any) -> None:
    """Raises RunError for images of other classes or another shape than the run's."""
    if list(part.classes) != facts["classes"]:
        ours, theirs = (classification.listed(c) for c in (facts["classes"], part.classes))
        raise RunError(f"the run tells apart {ours}, but {settings.data} has {theirs}")
    stored, needed = (network_shape(settings, s) for s in (part.images.shape[1:], facts["shape"]))
    if stored != needed:
        raise RunError(
            f"the run takes images of {_shown(needed)}, but those of {settings.data} are {_shown(stored)}"
        )


def _facts(settings: ImageSettings, train: Any) -> Facts:
    whole = settings.limit is None  # else the limit may be why
    if len(train.classes) < 2 or (whole and len(np.unique(train.labels)) < 2):
        raise RunError(f"{settings.data}: all {len(train)} training images are of the class "
                       f"{train.classes[train.labels[0]]!r}, so there is nothing to tell apart")  # fmt: skip
    mean, std = normalization(train)
    found = {"classes": list(train.classes), "shape": list(train.images.shape[1:]),
             "mean": mean.tolist(), "std": np.where(std > 0, std, 1.0).tolist()}  # fmt: skip
    if settings.lighting:
        values, vectors = principal_colors(train)
        found |= {"color_values": values.tolist(), "color_vectors": vectors.ravel().tolist()}
    return found


def _shown(shape: Any) -> str:
    return "×".join(map(str, shape))


TASK = Images()
