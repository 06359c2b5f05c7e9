"""Where published forms of one network differ: by name, with sizes that are computed from the networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..nn import Module
from .alexnet import AlexNet
from .count import multiply_adds, parameter_count, undrawn
from .googlenet import GoogLeNet
from .lenet import LeNet5
from .lenet1998 import LeNet1998
from .resnet import CifarResNet, ResNet18, ResNet34
from .vgg import VGG

NOTES = "the notes' table"

# How weights start, with biases 0 unless something else is said
FAN_IN = "U(±1/√fan_in), biases too"  # torch's default
HE = "convolutions N(0, 2/fan_out), linear layers"
SMALL = "N(0, 0.01²)"
CAFFE = "U(±√(3/fan_in)), biases 0.2, of the last layer 0"
YOUNG = f"{SMALL}, biases of linear layers U(±1/√fan_in)"


@dataclass(frozen=True)
class Variant:
    """One form of a network: how to build it, where it comes from, what sets it apart, how it starts."""

    name: str
    build: Callable[[], Module]
    source: str
    differences: str
    initialization: str


@dataclass(frozen=True)
class Row:
    """A variant with its size: trainable parameters, and multiply-adds for one image in evaluation."""

    variant: str
    parameters: int
    macs: int
    source: str
    differences: str
    initialization: str


def _vgg(depth: int) -> tuple[Variant, ...]:
    letter = {11: "A", 13: "B", 16: "D", 19: "E"}[depth]
    return (
        Variant("notes", partial(VGG, depth), NOTES if depth == 16 else "as the notes' VGG-16",
                "input 224×224; its initialization trains from scratch", f"{HE} {SMALL}"),
        Variant("paper", partial(VGG, depth, variant="paper"), f"Simonyan & Zisserman 2014, {letter}",
                "input 224×224; the deeper nets were started from a trained A; the paper writes a variance "
                "of 10⁻², which torchvision reads as the deviation", SMALL),
        Variant("torchvision", partial(VGG, depth, variant="torchvision"), f"torchvision vgg{depth}",
                "averages the last maps to 7×7, so inputs from 32×32 on run", f"{HE} {SMALL}"),
        Variant("torchvision, batch_norm", partial(VGG, depth, batch_norm=True, variant="torchvision"),
                f"torchvision vgg{depth}_bn", "BN after each convolution: younger than the paper",
                f"{HE} {SMALL}"),
    )  # fmt: skip


def _resnet(make: type[Module], name: str) -> tuple[Variant, ...]:
    return (
        Variant("notes", partial(make, variant="notes"),
                NOTES if make is ResNet18 else "as the notes' ResNet-18",
                "option B: shortcuts that change shape are 1×1 convolutions with BN; the table's dropout "
                "before the last layer is in neither of the others and is left out", f"{HE} {FAN_IN}"),
        Variant("paper", partial(make, variant="paper"), "He et al. 2015",
                "option A: every other pixel, new channels zero; no parameters in shortcuts",
                f"{HE} {FAN_IN}"),
        Variant("torchvision", partial(make, variant="torchvision"), f"torchvision {name}", "option B",
                f"{HE} {FAN_IN}"),
    )  # fmt: skip


VARIANTS: dict[str, tuple[Variant, ...]] = {
    "LeNet5": (
        Variant("notes", LeNet5, NOTES,
                "plain means, a full second convolution, ReLU in the linear part, softmax", FAN_IN),
        Variant("paper", LeNet1998, "LeCun et al. 1998",
                "trainable subsampling, connection table in C3, 1.7159 tanh(2a/3), distances to bitmaps",
                "U(±2.4/fan_in), biases too"),
    ),
    "AlexNet": (
        Variant("notes", partial(AlexNet, variant="notes"), NOTES, "one tower; input 227×227",
                "N(0, 2/fan_in)"),
        Variant("paper", partial(AlexNet, variant="paper"), "Krizhevsky et al. 2012",
                "two towers: groups = 2 in conv2, 4 and 5; input 227×227",
                f"{SMALL}, biases 1 in conv2, 4 and 5 and in the hidden linear layers"),
        Variant("torchvision", partial(AlexNet, variant="torchvision"),
                "Krizhevsky 2014; torchvision alexnet",
                "64-192-384-256-256 channels, no response normalization, padding 2 in conv1, dropout before "
                "fc6 and fc7 instead of after them, any input from 63×63 on", FAN_IN),
    ),
    **{f"VGG{depth}": _vgg(depth) for depth in (11, 13, 16, 19)},
    "GoogLeNet": (
        Variant("notes", partial(GoogLeNet, variant="notes"), NOTES,
                "pools with a border of 1 instead of rounding up, no response normalization", CAFFE),
        Variant("paper", partial(GoogLeNet, variant="paper"), "Szegedy et al. 2014",
                "response normalization after pool 1 and before pool 2; two auxiliary classifiers", CAFFE),
        Variant("paper, no aux", partial(GoogLeNet, variant="paper", aux_logits=False),
                "Caffe bvlc_googlenet", "what runs at inference", CAFFE),
        Variant("torchvision", partial(GoogLeNet, variant="torchvision"), "torchvision googlenet",
                "batch normalization, no bias, 3×3 in the branch that the paper has as 5×5", YOUNG),
        Variant("torchvision, no aux", partial(GoogLeNet, variant="torchvision", aux_logits=False),
                "torchvision googlenet", "what runs at inference", YOUNG),
        Variant("torchvision-5x5", partial(GoogLeNet, variant="torchvision-5x5"), "derived here",
                "torchvision's with the paper's 5×5", YOUNG),
    ),
    "ResNet18": _resnet(ResNet18, "resnet18"),
    "ResNet34": _resnet(ResNet34, "resnet34"),
    "CifarResNet": tuple(
        Variant(f"{depth}, option {option}", partial(CifarResNet, depth, option=option), "He et al. 2015",
                text, f"{HE} {FAN_IN}")
        for depth, option, text in (
            (20, "A", "n = 3; new channels behind the old ones"),
            (20, "A-centered", "half of the new channels before the old ones, as ports to PyTorch have it"),
            (20, "B", "1×1 convolutions in shortcuts"), (32, "A", "n = 5"),
            (44, "A", "n = 7"), (56, "A", "n = 9"), (110, "A", "n = 18"),
        )
    ),
}  # fmt: skip


def variants(network: str) -> list[Row]:
    """The forms of `network` (a key of `VARIANTS`), built and counted one after another.

    Raises ValueError for a network of which there is one form only.
    """
    if network not in VARIANTS:
        raise ValueError(f"variants: {network} has one form; those with several are {', '.join(VARIANTS)}")
    rows = []
    for v in VARIANTS[network]:
        with undrawn():
            model = v.build()
        macs = multiply_adds(model, model.input_shape)  # type: ignore[attr-defined]
        rows.append(Row(v.name, parameter_count(model), macs, v.source, v.differences,
                        v.initialization))  # fmt: skip
    return rows
