"""A run: the folder that holds one training, from its configuration to its plots.

config.json  metrics.jsonl  checkpoint.safetensors  and the PNG files that `Run.plot` lists; for
images in files also files.csv
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, optim
from ..data import (
    ArrayDataset,
    DataLoader,
    load,
    normalization,
    principal_colors,
    with_channels,
)  # fmt: skip
from ..data.sources import NAMES
from ..models.count import multiply_adds
from ..nn import Module
from . import checkpoint, files, origin
from .config import NAME as CONFIG
from .config import Config, RunError, read_config
from .folder import Claim, new_folder
from .loop import Trainer, evaluate
from .metrics import confusion_matrix
from .pipeline import decoded_side, evaluation_transform, network_shape, training_transform
from .recipes import RECIPES
from .schedules import make_schedule

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}
CHECKPOINT = "checkpoint.safetensors"
FILES = (files.NAME, CONFIG, CHECKPOINT)  # what a run begins with, in the order they are written
Parts = tuple[ArrayDataset, ArrayDataset]
EVALUATION_PIXELS = 500 * 32 * 32  # a batch has as many images as hold them, at most 500


class Run:
    """A training and the folder it lives in. Make one with `Run.start` or `Run.resume`.

    Where one image would be left for the last batch of an epoch, that batch is dropped: batch
    normalization has no variance over one number. The order is new in each epoch, so is the image.
    """

    def __init__(self, config: Config, claim: Claim, parts: Parts, contents: dict[str, Any]) -> None:
        self.config, self.claim, self.folder = config, claim, claim.folder
        self.train_set, self.test_set = parts
        self.contents = contents  # of the parts, see `origin.contents_of`
        backend.manual_seed(config.seed)
        self.model = build_model(config, self.train_set)
        options: dict[str, Any] = {"momentum": config.momentum} if config.optimizer == "sgd" else {}
        optimizer = OPTIMIZERS[config.optimizer](
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay, **options
        )
        transform = training_transform(config, self.train_set.images.shape[1:])
        lonely = len(self.train_set) > 1 == len(self.train_set) % config.batch_size
        train = DataLoader(
            self.train_set, config.batch_size, shuffle=True, drop_last=lonely, transform=transform
        )
        schedule = make_schedule(config.schedule, optimizer, config.epochs, len(train))
        self.trainer = Trainer(
            self.model, optimizer, train, evaluation_loader(config, self.test_set),
            schedule=schedule, max_norm=config.clip_norm,
        )  # fmt: skip

    @classmethod
    def start(cls, config: Config, folder: str | os.PathLike[str] | None = None, **how: Any) -> Run:
        """A new run in the new or empty `folder` (None: runs/MODEL-DATE-TIME); `how` goes to `data.load`.

        Nothing is left of it if it cannot start.
        """
        if config.data not in NAMES and os.path.isdir(config.data):  # the run is to be read from anywhere
            config = replace(config, data=os.path.abspath(config.data))
        default = Path("runs", f"{config.model}-{time.strftime('%Y%m%d-%H%M%S')}")
        path = default if folder is None else Path(folder)
        with new_folder(path, FILES, numbered=folder is None) as claim:
            parts = load_parts(config, **how)
            config = replace(config, **_statistics(config, parts[0]), threads=backend.threads())
            run = cls(config, claim, parts, origin.contents_of(parts))
            if (used := files.list_files(config)) is not None:
                _write(run.folder / files.NAME, files.as_csv(used, config, parts))
            run.write_config()
            run.save(run.trainer)  # the last of the three: where it is, the others are
        return run

    @classmethod
    def resume(cls, folder: str | os.PathLike[str], epochs: int | None = None, **how: Any) -> Run:
        """Go on with the run in `folder`, to `epochs` in all instead of the planned number."""
        folder = Path(folder)
        config = read_config(folder)
        if epochs is not None:
            config = replace(config, epochs=epochs)
        claim = Claim(folder)
        with claim.kept():
            state = checkpoint.load(folder / CHECKPOINT)
            origin.check_config(folder, config, state)
            parts, contents = load_same_parts(folder, config, state, "put it back, or train anew", **how)
            origin.check_threads(folder, state)
            run = cls(config, claim, parts, contents)
            run.restore(state)
            if epochs is not None:
                run.write_config()
            for part in folder.glob(".*.part"):  # what a kill left behind
                part.unlink()
        return run

    def restore(self, state: dict[str, Any]) -> None:
        """Put the training where the checkpoint `state` stands, and metrics.jsonl too."""
        try:
            self.trainer.load_state_dict(state)
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(f"{self.folder}: the checkpoint does not fit config.json ({error})") from error
        done = len(self.trainer.history)
        if done > self.config.epochs:
            raise RunError(f"{self.folder} already has {done} epochs, more than {self.config.epochs}")
        self.write_metrics()

    def fit(self, **options: Any) -> list[dict[str, Any]]:
        """Train to the end; see `Trainer.fit`. Afterwards the folder is free for another training."""
        self.claim.take()
        try:
            return self.trainer.fit(self.config.epochs, save=self.save, **options)
        finally:
            self.claim.release()

    def save(self, trainer: Trainer) -> None:
        """The checkpoint first: metrics.jsonl follows from it."""
        state = trainer.state_dict()
        state["resume"] |= origin.remember(self.config, self.contents)
        checkpoint.save(state, self.folder / CHECKPOINT)
        if trainer.history and trainer.batch == 0:
            path = self.folder / "metrics.jsonl"
            with checkpoint.named(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(trainer.history[-1]) + "\n")

    def write_config(self) -> None:
        _write(self.folder / CONFIG, json.dumps(asdict(self.config), indent=2) + "\n")

    def write_metrics(self) -> None:
        """metrics.jsonl as the checkpoint has it: a kill may have left a line too many or too few."""
        lines = [json.dumps(line) + "\n" for line in self.trainer.history]
        _write(self.folder / "metrics.jsonl", "".join(lines))

    def plot(self) -> None:
        """Write the plots, as PNG. Raises ImportError without Matplotlib.

        learning_curves, confusion_matrix, misclassified, first_layer_filters and, for a network
        with convolutions, feature_maps (of the first test image).
        """
        from . import pictures, plots

        plots.learning_curves(self.trainer.history, self.folder / "learning_curves.png")
        loader, classes = self.trainer.validation, self.test_set.classes
        assert loader is not None
        _, predicted, labels = evaluate(self.model, loader)
        counts = confusion_matrix(predicted, labels, len(classes))
        plots.confusion_plot(counts, classes, self.folder / "confusion_matrix.png")
        pictures.mistakes(self.test_set, predicted, self.folder / "misclassified.png")
        shape = network_shape(self.config, self.test_set.images.shape[1:])
        pictures.filters(self.model, shape, self.folder / "first_layer_filters.png")
        images, _ = next(iter(DataLoader(self.test_set, 1, transform=loader.transform, prefetch=0)))
        pictures.feature_maps(self.model, self.test_set, images, self.folder / "feature_maps.png")


def _statistics(config: Config, dataset: ArrayDataset) -> dict[str, Any]:
    """What the training data decides: its classes, its mean and deviation, its principal colors."""
    mean, std = normalization(dataset)
    std = np.where(std > 0, std, 1.0)
    found: dict[str, Any] = {
        "classes": dataset.classes, "mean": tuple(mean.tolist()), "std": tuple(std.tolist())
    }  # fmt: skip
    if config.lighting:
        values, vectors = principal_colors(dataset)
        found |= {"color_values": tuple(values.tolist()), "color_vectors": tuple(vectors.ravel().tolist())}
    return found


def load_trained(folder: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration of a run and its checkpoint: weights under their state_dict keys, and "resume".

    Raises RunError if the two do not belong together.
    """
    config = read_config(folder)
    state = checkpoint.load(folder / CHECKPOINT)
    origin.check_config(folder, config, state)
    return config, state


def load_same_parts(
    folder: Path, config: Config, state: dict[str, Any], advice: str, **how: Any
) -> tuple[Parts, dict[str, Any]]:
    """(train, test) of the run in `folder`, and their contents.

    Raises RunError if they are not what it began with; `advice` is what to do then.
    """
    files.check_files(folder, config)
    parts = load_parts(config, **how)
    contents, changed = origin.contents_of(parts), files.changed_contents(folder, config, parts)
    origin.check_data(folder, config.data, state, contents, changed, advice)
    if parts[0].classes != config.classes:  # what a checkpoint without a digest lets pass
        raise RunError(f"{folder}: the classes of {config.data} are not those of the run any more")
    return parts, contents


def load_parts(config: Config, **how: Any) -> Parts:
    """(train, test) of the configuration, with the channels that its network takes."""
    train, test = load(
        config.data, size=decoded_side(config), on_error=config.on_error, limit=config.limit, **how
    )
    channels = RECIPES[config.model].channels
    if channels is None:
        return train, test
    return with_channels(train, channels), with_channels(test, channels)


def build_model(config: Config, dataset: ArrayDataset) -> Module:
    """The network of the configuration for the images and classes of `dataset`.

    Raises ValueError if it cannot take them.
    """
    recipe, shape = RECIPES[config.model], network_shape(config, dataset.images.shape[1:])
    model = recipe.build(shape, len(dataset.classes), config.variant or recipe.variants[0])
    multiply_adds(model, shape)  # a pass without arithmetic: networks refuse images that do not fit
    return model


def evaluation_loader(config: Config, dataset: ArrayDataset, ten_crop: bool = False) -> DataLoader:
    """`dataset` in order, in large batches, without augmentation."""
    transform = evaluation_transform(config, dataset.images.shape[1:], ten_crop)
    _, height, width = network_shape(config, dataset.images.shape[1:])
    batch = EVALUATION_PIXELS // (height * width * (10 if ten_crop else 1))
    return DataLoader(dataset, min(max(batch, 1), 500), transform=transform)


def _write(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with checkpoint.named(path):
        try:
            part.write_text(text, encoding="utf-8", errors="surrogateescape")  # for names of files
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
