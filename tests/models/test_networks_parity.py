"""From the same weights and batches every network follows PyTorch, in training and in evaluation.

In each step of SGD with momentum the logits, the loss and the gradient of every parameter are compared, and
after them every parameter and running statistic: within 1e-9 in float64 and 1e-4 in float32, relative to the
largest number of the tensor. Networks of over a million parameters take 2 steps, the others 5. In training
dropout is off, as its draws differ. In evaluation it has its published probability and must do nothing, and
the running statistics are those of another batch. The deeper members of a family (`DEEPER`) have no layer
that its first lacks: they are trained in float64 and evaluated in float32 only. On CuPy's stand-in networks
take 1 step.

A network with ReLUs and maxima is piecewise smooth. A rounding of float32 may put two libraries on
neighboring pieces, and there gradients differ by up to a tenth though both are right: PyTorch differs as
much from its own float64. So in float32 both are compared on the same piece. PyTorch's ReLUs pass what ours
passed and its maxima take what ours took (`_SamePiece`), which is refused unless PyTorch's own choice is the
same or a matter of rounding. In float64 PyTorch gets no such help.
"""

import itertools
from collections import deque
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes import backend, models, nn
from tinygrad_notes.autograd import Function
from tinygrad_notes.backend.kernels.threads import one_blas_thread
from tinygrad_notes.models.count import undrawn
from tinygrad_notes.ops.activation import ReLU
from tinygrad_notes.ops.pooling import MaxPool2d

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

CLASSES = 5
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-4}
STEP = 2e-4


class Pair(NamedTuple):
    """A network, its twin, and the shape of a batch in training and in evaluation."""

    ours: Any
    theirs: Any
    train: tuple[int, ...]
    eval: tuple[int, ...]


def _pair(ours, theirs, *shape):
    return Pair(ours, theirs, shape, (min(2, shape[0]), *shape[1:]))


def _alexnet(variant, *shape):
    ours = partial(models.AlexNet, CLASSES, variant, hidden=16)
    return _pair(ours, partial(twins.alexnet, CLASSES, variant, hidden=16), *shape)


def _vgg(depth, batch_norm=False):
    ours = partial(models.VGG, depth, CLASSES, batch_norm, "torchvision", hidden=16)
    theirs = partial(twins.vgg, depth, CLASSES, batch_norm, hidden=16)
    return _pair(ours, theirs, 3 if batch_norm else 1, 3, 32, 32)


def _resnet(depth, variant):
    network, counts = {18: (models.ResNet18, (2, 2, 2, 2)), 34: (models.ResNet34, (3, 4, 6, 3))}[depth]
    option = "A" if variant == "paper" else "B"
    theirs = partial(twins.resnet, counts, (64, 128, 256, 512), CLASSES, option, True)
    return _pair(partial(network, CLASSES, variant), theirs, 4, 3, 33, 33)


def _cifar(depth, option):
    theirs = partial(twins.resnet, (depth // 6,) * 3, (16, 32, 64), CLASSES, option, False)
    return _pair(partial(models.CifarResNet, depth, CLASSES, option), theirs, 4, 3, 16, 16)


def _googlenet(variant, aux, *shape):
    ours = partial(models.GoogLeNet, CLASSES, variant, aux)
    return Pair(ours, partial(twins.googlenet, CLASSES, variant, aux), shape, (1, 3, 64, 64))


ODD = (3, 13, 10)
NETWORKS = {
    "mlp": _pair(models.MLP, twins.mlp, 4, 784),
    "lenet5": _pair(models.LeNet5, twins.lenet5, 4, 1, 32, 32),
    "lenet1998": _pair(models.LeNet1998, twins.lenet1998, 4, 1, 32, 32),
    "simplecnn": _pair(models.SimpleCNN, twins.simplecnn, 4, 1, 28, 28),
    "simplecnn of odd images": _pair(
        partial(models.SimpleCNN, ODD, CLASSES), partial(twins.simplecnn, ODD, CLASSES), 4, *ODD
    ),
    "alexnet notes": _alexnet("notes", 1, 3, 227, 227),
    "alexnet paper": _alexnet("paper", 1, 3, 227, 227),
    "alexnet torchvision": _alexnet("torchvision", 2, 3, 96, 96),
    "vgg11": _vgg(11),
    "vgg13": _vgg(13),
    "vgg16": _vgg(16),
    "vgg19": _vgg(19),
    "vgg11 with batch norm": _vgg(11, batch_norm=True),
    "vgg13 with batch norm": _vgg(13, batch_norm=True),
    "vgg16 with batch norm": _vgg(16, batch_norm=True),
    "vgg19 with batch norm": _vgg(19, batch_norm=True),
    "resnet18 A": _resnet(18, "paper"),
    "resnet18 B": _resnet(18, "notes"),
    "resnet34 A": _resnet(34, "paper"),
    "resnet34 B": _resnet(34, "torchvision"),
    "resnet20 A": _cifar(20, "A"),
    "resnet20 B": _cifar(20, "B"),
    "resnet32 A": _cifar(32, "A"),
    "resnet44 A": _cifar(44, "A"),
    "resnet56 A": _cifar(56, "A"),
    "resnet110 A": _cifar(110, "A"),
    "googlenet notes": _googlenet("notes", True, 1, 3, 224, 224),
    "googlenet notes, no aux": _googlenet("notes", False, 2, 3, 64, 64),
    "googlenet paper": _googlenet("paper", True, 1, 3, 224, 224),
    "googlenet paper, no aux": _googlenet("paper", False, 2, 3, 64, 64),
    "googlenet torchvision": _googlenet("torchvision", True, 3, 3, 96, 96),
    "googlenet torchvision, no aux": _googlenet("torchvision", False, 3, 3, 96, 96),
    "googlenet torchvision-5x5": _googlenet("torchvision-5x5", True, 3, 3, 96, 96),
    "googlenet torchvision-5x5, no aux": _googlenet("torchvision-5x5", False, 3, 3, 96, 96),
}
LATER = "vgg13", "vgg16", "vgg19", "resnet32", "resnet34", "resnet44", "resnet56", "resnet110"
LARGE = "googlenet notes", "googlenet paper"  # in float32 trained without their auxiliary classifiers
DEEPER = [name for name in NETWORKS if name.startswith(LATER) or name in LARGE]
CASES = [
    pytest.param(name, mode, dtype, id=f"{name}-{mode}-{np.dtype(dtype).name}")
    for name in NETWORKS
    for mode, dtype in itertools.product(("train", "eval"), TOLERANCE)
    if name not in DEEPER or (mode == "train") == (dtype is np.float64)
]


# ---- the point to compare at ------------------------------------------------------------------------


def _place(pair, mode, dtype):
    """The network and its twin with the same weights, and for each step a batch."""
    rng = np.random.default_rng(0)
    if pair.ours is models.LeNet1998:  # no ReLUs, and weights of a scale of its own
        ours = pair.ours()
    else:
        with undrawn():
            ours = pair.ours()
        _draw(ours, rng)
    if mode == "eval":
        _gather(ours, _images(pair.train, rng))
    with torch.device("meta"):  # torch draws no weights
        theirs = pair.theirs()
    theirs = theirs.to(getattr(torch, np.dtype(dtype).name)).to_empty(device="cpu")
    twins.copy_weights(ours, theirs)
    ours.astype(dtype)
    for network in ours, theirs:
        network.train(mode == "train")
        for module in network.modules():
            if mode == "train" and isinstance(module, nn.Dropout | torch.nn.Dropout):
                module.p = 0.0
    shape = getattr(pair, mode)
    if dtype is np.float64:  # digits to spare: batch norm needs no larger batch
        shape = (min(2, shape[0]), *shape[1:])
    return ours, theirs, [_images(shape, rng).astype(dtype) for _ in range(_steps(ours))]


def _steps(network):
    """How many steps: as many as take no minutes; the second is the first with momentum."""
    if backend.BACKEND != "numpy":
        return 1
    return 5 if sum(p.size for p in network.parameters()) < 1_000_000 else 2


def _draw(network, rng):
    """He et al.'s scale, at which no signal dies out on its way through, and biases that are not 0.

    Those of batch norm are mostly positive: with half of its inputs negative, a ReLU after a batch norm
    makes more of a rounding in every layer.
    """
    shifts = [norm.bias for norm in _norms(network)]
    for name, p in network.named_parameters():
        if p.ndim > 1:
            weights = rng.random(p.shape, np.float32) - 0.5
            weights *= np.float32(np.sqrt(24 / np.prod(p.shape[1:])))
            p.data = weights
        elif any(p is shift for shift in shifts):
            p.data = rng.uniform(0, 2, p.shape)
        else:
            p.data = (
                rng.uniform(0.5, 1.5, p.shape) if name.endswith("weight") else rng.uniform(-0.3, 0.3, p.shape)
            )


def _norms(network):
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def _images(shape, rng):
    """Noise, and in images 4×4 large patches: deep layers see no difference between two images of mere noise.

    Batch norm would divide by what little difference there is.
    """
    x = rng.standard_normal(shape, np.float32)
    if len(shape) == 4:
        height, width = shape[2:]
        size = -(-max(height, width) // 4)
        patches = rng.standard_normal((*shape[:2], 4, 4), np.float32).repeat(size, 2).repeat(size, 3)
        x += patches[:, :, :height, :width]
    return x


def _gather(network, x):
    """Make the running statistics those of x."""
    norms = _norms(network)
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with tg.no_grad():
            network(tg.Tensor(x))
    for norm in norms:
        norm.momentum = 0.1


# ---- the same piece ---------------------------------------------------------------------------------

KINKS = {"relu": ReLU, "max_pool2d": MaxPool2d}

# Where torch chooses otherwise its number is this near to the kink, relative to the largest of its tensor,
# and this part of all numbers is so, or a single one. Measured: at most 4e-6, and 5e-6 of the numbers.
NEAR, FEW = 1e-5, 2e-5


@pytest.fixture
def choices(monkeypatch):
    """What our ReLUs and maxima choose, in order: for each its name in torch, its input and its output."""
    seen = deque()

    def record(name, operation, x, **attributes):
        y = Function.apply.__func__(operation, x, **attributes)
        seen.append((name, *(torch.from_numpy(t.detach().numpy()) for t in (x, y))))
        return y

    for name, operation in KINKS.items():
        monkeypatch.setattr(operation, "apply", partial(record, name, operation))
    return seen


class _SamePiece(torch.overrides.TorchFunctionMode):
    """Inside, torch's ReLUs pass what passed in `choices`, and its maxima take what was taken there.

    Raises:
        AssertionError: these are not the ReLUs and maxima of this network in their order; or torch's own
            choices differ in more than roundings.
    """

    def __init__(self, choices):
        super().__init__()
        self.choices = choices
        self.numbers = self.others = 0
        self.distance = 0.0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        x, *rest, kwargs = *args, kwargs or {}
        if function.__name__ not in KINKS:
            return function(x, *rest, **kwargs)
        assert self.choices, f"ours has no such {function.__name__}"
        name, before, after = self.choices.popleft()
        assert (name, before.shape) == (function.__name__, x.shape)
        assert torch.equal(function(before, *rest, **kwargs), after), f"{name} of the same input"
        if name == "relu":
            y = x * (after > 0)
        else:
            _, place = function(before, *rest, **kwargs | dict(return_indices=True))
            y = x.flatten(2).gather(2, place.flatten(2)).view_as(place)
        with torch.no_grad():
            lost = function(x, *rest, **kwargs) - y  # 0 where torch chooses the same
            self.distance = max(self.distance, (lost.max() / x.abs().max()).item())
            self.others += lost.count_nonzero().item()
            self.numbers += lost.numel()
        return y

    def __exit__(self, kind, *rest):
        super().__exit__(kind, *rest)
        if kind is None:
            assert not self.choices, "torch has fewer ReLUs and maxima"
            assert self.distance <= NEAR, f"another choice {self.distance:.0e} away from its kink"
            assert self.others <= 1 + FEW * self.numbers, f"{self.others} other choices of {self.numbers}"


@pytest.mark.parametrize("name", KINKS)
def test_a_wrong_choice_is_refused(name, choices):
    ours, theirs, batches = _place(NETWORKS["simplecnn"], "train", np.float32)
    x = batches[0]
    ours(tg.Tensor(x))
    at = [choice[0] for choice in choices].index(name)
    before = choices[at][1].clone()
    before[before == before.max()] *= -1  # the largest number is not passed, and not taken
    after = torch.relu(before) if name == "relu" else torch.nn.functional.max_pool2d(before, 2)
    choices[at] = name, before, after
    with pytest.raises(AssertionError, match="away from its kink"), _SamePiece(choices):
        theirs(torch.from_numpy(x))


# ---- the comparison ---------------------------------------------------------------------------------


@pytest.fixture
def _one_thread():
    """The largest tests there are: side by side with others, threads of theirs would only wait."""
    with one_blas_thread():
        yield


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize(("name", "mode", "dtype"), CASES)
def test_network_follows_torch(name, mode, dtype, choices):
    ours, theirs, batches = _place(NETWORKS[name], mode, dtype)
    choices.clear()
    start = ours.state_dict()
    errors = {}
    for step, x in enumerate(batches):
        found = _backward(ours, theirs, x, choices)
        errors |= {f"{key} in step {step}": error for key, error in found.items()}
        if step == 0:
            optimizers = _optimizers(ours, theirs)
        for optimizer in optimizers:
            optimizer.step()
    end = ours.state_dict()
    errors |= {f"{key} at the end": _error(end[key], value) for key, value in theirs.state_dict().items()}
    wrong = {key: f"{error:.1e}" for key, error in errors.items() if not error < TOLERANCE[dtype]}
    assert not wrong

    if len(batches) > 1:  # they have moved, so that this compared more than the start
        moved = {
            key: np.abs(end[key] - start[key]).max() / np.abs(start[key]).max()
            for key, p in ours.named_parameters() if p.grad is not None and key not in _without_effect(ours)
        }  # fmt: skip
        assert min(moved.values()) > 3 * TOLERANCE[np.float32]


def _backward(ours, theirs, x, choices):
    """Forward and backward of both. Returns the errors of loss, logits and gradients by name.

    The label of an image is its least likely class that no other has: of one class, two images may have
    gradients whose difference, all that batch norm leaves, is a rounding. With a likely class the loss is
    near 0, where float32 has lost the digits of 1 − p, and gradients are a hundredth of the next step's.
    """
    y = ours(tg.Tensor(x))
    if x.dtype == np.float32:
        with _SamePiece(choices):
            reference = theirs(torch.from_numpy(x))
    else:
        choices.clear()
        reference = theirs(torch.from_numpy(x))
    labels = []
    for scores in (y[0] if isinstance(y, tuple) else y).detach().numpy():
        labels.append(next(c for c in scores.argsort() if c not in labels))
    labels = np.array(labels)
    loss, expected = _losses(ours, y, reference, labels)
    ours.zero_grad()
    theirs.zero_grad()
    loss.backward()
    expected.backward()
    assert loss.dtype == x.dtype
    outputs = zip(y, reference, strict=True) if isinstance(y, tuple) else [(y, reference)]
    errors = {f"logits {i}": _error(a.detach().numpy(), b) for i, (a, b) in enumerate(outputs)}
    errors["loss"] = abs(loss.item() - expected.item()) / max(1.0, abs(expected.item()))
    return errors | _gradient_errors(ours, theirs)


def _losses(network, ours, theirs, labels):
    """The network's own loss where it has one, written out for torch."""
    cross_entropy = torch.nn.functional.cross_entropy
    target = torch.from_numpy(labels)
    if isinstance(theirs, tuple):
        reference = cross_entropy(theirs[0], target) + 0.3 * sum(cross_entropy(a, target) for a in theirs[1:])
        return models.GoogLeNet.loss(ours, labels), reference
    if isinstance(network, models.LeNet1998):
        rest = torch.cat([theirs, -torch.ones(len(labels), 1, dtype=theirs.dtype)], 1)
        reference = (-theirs[range(len(labels)), labels] + torch.logsumexp(rest, 1)).mean()
        return network.loss(ours, labels), reference
    return tg.nn.functional.cross_entropy(ours, labels), cross_entropy(theirs, target)


def _error(ours, theirs, scale=None):
    """The largest difference, relative to the largest number of `scale`: of `theirs` where none is given."""
    theirs = theirs.detach()
    difference = torch.from_numpy(ours) - theirs
    return difference.abs_().max().item() / (theirs if scale is None else scale).abs().max().item()


def _yardsticks(network, theirs):
    """For every parameter with a gradient, the gradient in torch by whose largest number it is measured.

    Its own; but a bias that batch norm takes out again has gradient 0, and what rounding leaves of that is
    measured by the gradient of its weight.
    """
    gradients = {key: p.grad for key, p in theirs.named_parameters() if p.grad is not None}
    if network.training:
        for key in _without_effect(network):
            gradients[key] = gradients[key.replace("bias", "weight")]
    return gradients


def _without_effect(network):
    """The biases that batch norm takes out again, in training."""
    return [
        f"{name}.bias"
        for (name, a), (_, b) in itertools.pairwise(network.named_modules())
        if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d) and a.bias is not None
    ]


def _gradient_errors(ours, theirs):
    yardsticks = _yardsticks(ours, theirs)
    expected = {key: p.grad for key, p in theirs.named_parameters()}
    assert expected.keys() == dict(ours.named_parameters()).keys()
    errors = {}
    for key, p in ours.named_parameters():
        if expected[key] is None:  # of an auxiliary classifier in evaluation
            assert p.grad is None
        else:
            assert p.grad.dtype == p.dtype
            gradient = backend.to_numpy(p.grad._data)  # p.grad.numpy() would take a checksum of it
            errors[f"gradient of {key}"] = _error(gradient, expected[key], yardsticks[key])
    return errors


def _optimizers(ours, theirs):
    """SGD in both, with a learning rate for each parameter: the first step moves it by STEP of its length.

    One rate for all would hardly move the first layers, or make the last one diverge.
    """
    mine, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
    rates = {
        key: STEP * (other[key].detach().norm() / gradient.norm()).item()
        for key, gradient in _yardsticks(ours, theirs).items()
    }
    return [
        sgd([dict(params=[parameters[key]], lr=rate) for key, rate in rates.items()], lr=1.0, momentum=0.9)
        for sgd, parameters in ((tg.optim.SGD, mine), (torch.optim.SGD, other))
    ]
