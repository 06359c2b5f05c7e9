"""GoogLeNet: Szegedy et al. 2014, Going Deeper with Convolutions (Inception v1).

    conv1 64 7×7 s2 → 112×112 → max 3×3 s2 → 56×56
    conv2 64 1×1, conv3 192 3×3 → 56×56 → max 3×3 s2 → 28×28
    inception 3a, 3b → max 3×3 s2 → 14×14;  4a–4e → max 3×3 s2 → 7×7;  5a, 5b
    mean over positions, dropout, fc: 22 layers with weights

An inception module runs four branches on one input and joins their channels:
    1×1   |   1×1 reduce → 3×3   |   1×1 reduce → 5×5   |   max 3×3 s1 → 1×1 project
Two auxiliary classifiers, on 4a and 4d, push gradients into the middle during training (weight 0.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..nn import init
from ..ops.response import local_response_norm
from ..ops.shape import concat
from .images import check_images, choose

AUXILIARY_WEIGHT = 0.3
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of red, green, blue

# in, #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool projection: Table 1 of the paper
INCEPTIONS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True)
class Form:
    """What the variants differ in."""

    batch_norm: bool  # and then no bias
    branch: int  # the kernel of the "5×5" branch
    response_norm: bool
    ceil: bool  # pools round up; else they have a border of 1: the same sizes, other windows
    last_pool: int  # the window of the pool before 5a
    dropout: float
    least: int  # the smallest side for which every window without a border finds a number


VARIANTS = {
    "notes": Form(False, 5, False, ceil=False, last_pool=3, dropout=0.4, least=1),
    "paper": Form(False, 5, True, ceil=True, last_pool=3, dropout=0.4, least=31),
    "torchvision": Form(True, 3, False, ceil=True, last_pool=2, dropout=0.2, least=15),
    "torchvision-5x5": Form(True, 5, False, ceil=True, last_pool=2, dropout=0.2, least=15),
}


class Outputs(NamedTuple):
    """Logits of the network and, in training, of the classifiers on 4a and 4d; each (N, classes)."""

    logits: Tensor
    aux1: Tensor
    aux2: Tensor


class BasicConv2d(nn.Module):
    """Convolution and ReLU, with batch normalization between them where the variant has it."""

    def __init__(self, form: Form, before: int, width: int, kernel: int, **options: Any) -> None:
        self.conv = nn.Conv2d(before, width, kernel, bias=not form.batch_norm, **options)
        self.bn = nn.BatchNorm2d(width, eps=0.001) if form.batch_norm else None

    def forward(self, x: Any) -> Tensor:
        x = self.conv(x)
        return F.relu(x if self.bn is None else self.bn(x))


class Inception(nn.Module):
    """Four branches of one input, joined: c1 + c3 + c5 + cp channels."""

    def __init__(self, form: Form, before: int, c1: int, r3: int, c3: int, r5: int, c5: int, cp: int) -> None:
        k = form.branch
        self.branch1 = BasicConv2d(form, before, c1, 1)
        self.branch2 = nn.Sequential(
            BasicConv2d(form, before, r3, 1), BasicConv2d(form, r3, c3, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(form, before, r5, 1), BasicConv2d(form, r5, c5, k, padding=k // 2)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), BasicConv2d(form, before, cp, 1))

    def forward(self, x: Any) -> Tensor:
        return concat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], axis=1)


class Auxiliary(nn.Module):
    """mean 5×5 s3 → 4×4, conv 128 1×1, fc 1024, dropout 0.7, fc.   x (N, before, 14, 14)."""

    def __init__(self, form: Form, before: int, classes: int, dropout: float = 0.7) -> None:
        self.pool = nn.AdaptiveAvgPool2d((4, 4)) if form.batch_norm else nn.AvgPool2d(5, 3)
        self.conv = BasicConv2d(form, before, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Any) -> Tensor:
        x = self.conv(self.pool(x))
        if x.shape[2:] != (4, 4):
            raise ValueError(
                f"GoogLeNet: the auxiliary classifiers need 4×4 maps, got {x.shape[2]}×{x.shape[3]}; train "
                "on images of 224×224, or without aux_logits"
            )
        return self.fc2(self.dropout(F.relu(self.fc1(x.reshape(len(x), -1)))))


class GoogLeNet(nn.Module):
    """x (N, 3, 224, 224) → logits (N, classes); in training with `aux_logits`, three of them: `Outputs`.

    `variant`: "paper" (response normalization; pools round up); "notes" (pools have a border of 1, no
    response normalization); "torchvision" (batch normalization, and 3×3 where the paper has 5×5);
    "torchvision-5x5" (the same with 5×5). `transform_input`: x is normalized with ImageNet's means and
    deviations, and torchvision's trained weights want it with ½ and ½ instead.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self, classes: int = 1000, variant: str = "notes", aux_logits: bool = True,
        transform_input: bool = False,
    ) -> None:  # fmt: skip
        self.variant = choose(self, variant, VARIANTS)
        self.transform_input = transform_input
        form = VARIANTS[variant]
        self.conv1 = BasicConv2d(form, 3, 64, 7, stride=2, padding=3)
        self.conv2 = BasicConv2d(form, 64, 64, 1)
        self.conv3 = BasicConv2d(form, 64, 192, 3, padding=1)
        for name, widths in INCEPTIONS.items():
            setattr(self, f"inception{name}", Inception(form, *widths))
        self.aux1 = Auxiliary(form, 512, classes) if aux_logits else None
        self.aux2 = Auxiliary(form, 528, classes) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(form.dropout)
        self.fc = nn.Linear(1024, classes)
        self._initialize(form)

    def _initialize(self, form: Form) -> None:
        """torchvision: N(0, 0.01²). The paper says nothing; U(±√(3/fan_in)), b = 0.2 are Caffe's model's."""
        for layer in self.modules():
            if not isinstance(layer, nn.Conv2d | nn.Linear):
                continue
            if form.batch_norm:
                init.normal_(layer.weight, 0.0, 0.01)
            else:
                init.lecun_uniform_(layer.weight)
                init.constant_(layer.bias, 0.0 if layer is self.fc else 0.2)

    def forward(self, x: Any) -> Tensor | Outputs:
        form = VARIANTS[self.variant]
        check_images(self, x, least=form.least)
        if self.transform_input:
            mean, deviation = (Tensor([[[v]] for v in channels], dtype=x.dtype) for channels in IMAGENET)
            x = (x * deviation + mean - 0.5) / 0.5
        x = self._norm(_halve(self.conv1(x), form))
        x = _halve(self._norm(self.conv3(self.conv2(x))), form)
        x = _halve(self.inception3b(self.inception3a(x)), form)
        x = self.inception4a(x)
        aux1 = self.aux1(x) if self.training and self.aux1 is not None else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.training and self.aux2 is not None else None
        x = _halve(self.inception4e(x), form, form.last_pool)
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(self.avgpool(x).reshape(len(x), -1)))
        return logits if aux1 is None else Outputs(logits, aux1, aux2)

    def _norm(self, x: Tensor) -> Tensor:
        if not VARIANTS[self.variant].response_norm:
            return x
        return local_response_norm(x, 5, 1e-4, 0.75, k=1.0)  # Caffe's: the paper gives no constants

    @staticmethod
    def loss(output: Tensor | Outputs, target: Any) -> Tensor:
        """Cross-entropy, plus 0.3 of it for each auxiliary classifier that ran."""
        if not isinstance(output, Outputs):
            return F.cross_entropy(output, target)
        auxiliary = F.cross_entropy(output.aux1, target) + F.cross_entropy(output.aux2, target)
        return F.cross_entropy(output.logits, target) + AUXILIARY_WEIGHT * auxiliary


def _halve(x: Tensor, form: Form, kernel: int = 3) -> Tensor:
    """The maximum over windows at every second place."""
    return F.max_pool2d(x, kernel, 2, padding=0 if form.ceil else 1, ceil_mode=form.ceil)
