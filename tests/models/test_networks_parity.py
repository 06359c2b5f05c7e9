"""From the same weights and batch, every network and variant follows PyTorch: values, gradients, steps.

In float64 everything agrees to rounding. In float32 a deep network meets a ReLU or a maximum whose inputs two
libraries round to different sides, where its gradient jumps: there the logits and the losses over small steps
are compared, which do not jump; for GoogLeNet, where a rounding grows more than a hundredfold through 22
layers, those of one batch.
"""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes import models

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

CLASSES = 5
LR = {np.float64: 1e-4, np.float32: 1e-5}
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-4}


def _vgg(depth, batch_norm=False):
    options = dict(batch_norm=batch_norm, hidden=16, dropout=0.0)
    return (lambda: models.VGG(depth, CLASSES, variant="torchvision", **options),
            lambda: twins.vgg(depth, CLASSES, **options), (3, 3, 32, 32))  # fmt: skip


def _alexnet(variant, *shape):
    options = dict(variant=variant, hidden=16, dropout=0.0)
    return lambda: models.AlexNet(CLASSES, **options), lambda: twins.alexnet(CLASSES, **options), shape


def _resnet(network, counts, variant):
    option = "A" if variant == "paper" else "B"
    widths = (64, 128, 256, 512)
    return (lambda: network(CLASSES, variant),
            lambda: twins.resnet(counts, widths, CLASSES, option, True), (4, 3, 48, 48))  # fmt: skip


def _cifar(option):
    counts, widths = (1, 1, 1), (16, 32, 64)
    return (lambda: models.CifarResNet(8, CLASSES, option),
            lambda: twins.resnet(counts, widths, CLASSES, option, False), (4, 3, 16, 16))  # fmt: skip


def _googlenet(variant, aux, *shape):
    def ours():
        network = models.GoogLeNet(CLASSES, variant, aux)
        for module in network.modules():
            if isinstance(module, tg.nn.Dropout):
                module.p = 0.0
        return network

    return ours, lambda: twins.googlenet(CLASSES, variant, aux), shape


NETWORKS = {
    "simplecnn": (models.SimpleCNN, twins.simplecnn, (4, 1, 28, 28)),
    "simplecnn of odd images": (
        lambda: models.SimpleCNN((3, 13, 10), CLASSES), lambda: twins.simplecnn((3, 13, 10), CLASSES),
        (4, 3, 13, 10),
    ),
    "lenet1998": (models.LeNet1998, twins.lenet1998, (4, 1, 32, 32)),
    "alexnet notes": _alexnet("notes", 1, 3, 227, 227),
    "alexnet paper": _alexnet("paper", 1, 3, 227, 227),
    "alexnet torchvision": _alexnet("torchvision", 2, 3, 96, 96),
    "vgg11": _vgg(11),
    "vgg13": _vgg(13),
    "vgg16": _vgg(16),
    "vgg19": _vgg(19),
    "vgg11 with batch norm": _vgg(11, batch_norm=True),
    "resnet18 B": _resnet(models.ResNet18, (2, 2, 2, 2), "notes"),
    "resnet18 A": _resnet(models.ResNet18, (2, 2, 2, 2), "paper"),
    "resnet34 B": _resnet(models.ResNet34, (3, 4, 6, 3), "torchvision"),
    "cifar resnet A": _cifar("A"),
    "cifar resnet B": _cifar("B"),
    "googlenet notes": _googlenet("notes", False, 2, 3, 64, 64),
    "googlenet paper": _googlenet("paper", True, 1, 3, 224, 224),
    "googlenet torchvision": _googlenet("torchvision", True, 4, 3, 80, 80),
    "googlenet torchvision-5x5": _googlenet("torchvision-5x5", False, 4, 3, 80, 80),
}  # fmt: skip


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


def _error(ours, theirs):
    """The largest difference, relative to the largest number."""
    theirs = theirs.detach().numpy()
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-3)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_network_follows_torch(name, dtype):
    make_ours, make_theirs, shape = NETWORKS[name]
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape).astype(dtype)
    labels = rng.integers(0, CLASSES, shape[0])
    ours = make_ours().astype(dtype)
    if not isinstance(ours, models.LeNet1998):  # at He's scale no signal dies out on its way through
        for p in ours.parameters():
            if p.ndim > 1:
                tg.nn.init.kaiming_normal_(p)
    theirs = make_theirs().to(torch.from_numpy(x).dtype)
    twins.copy_weights(ours, theirs)
    our_step = tg.optim.SGD(ours.parameters(), LR[dtype], momentum=0.9)
    their_step = torch.optim.SGD(theirs.parameters(), LR[dtype], momentum=0.9)

    steps = 5 if dtype is np.float64 else 1 if name.startswith("googlenet") else 2
    errors = {}
    for step in range(steps):
        y, reference = ours(tg.Tensor(x)), theirs(torch.from_numpy(x))
        loss, expected = _losses(ours, y, reference, labels)
        ours.zero_grad()
        theirs.zero_grad()
        loss.backward()
        expected.backward()
        assert loss.dtype == dtype
        errors[f"loss {step}"] = abs(loss.item() - expected.item()) / max(1.0, abs(expected.item()))
        if step == 0:
            outputs = zip(y, reference, strict=True) if isinstance(y, tuple) else [(y, reference)]
            errors["logits"] = max(_error(a.detach().numpy(), b) for a, b in outputs)
            gradients = dict(theirs.named_parameters())
            assert gradients.keys() == dict(ours.named_parameters()).keys()
            for key, p in ours.named_parameters():
                assert p.grad.dtype == dtype
                if dtype is np.float64:
                    errors[f"gradient of {key}"] = _error(p.grad.numpy(), gradients[key].grad)
        if steps > 1:
            our_step.step()
            their_step.step()

    state = ours.state_dict()
    if dtype is np.float64:
        for key, value in theirs.state_dict().items():
            errors[f"{key} at the end"] = _error(state[key], value)
    ours.eval()
    theirs.eval()
    with torch.no_grad():
        errors["evaluation"] = _error(ours(tg.Tensor(x)).detach().numpy(), theirs(torch.from_numpy(x)))
    worst = max(errors, key=errors.__getitem__)
    assert errors[worst] < TOLERANCE[dtype], f"{worst}: {errors[worst]:.1e}"
