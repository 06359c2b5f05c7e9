"""From the same weights and batches, training follows PyTorch: 50 steps of the MLP and of LeNet-5."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes.data import load_digits

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

STEPS, BATCH = 50, 16
NETWORKS = {
    "mlp": (lambda: tg.models.MLP((784, 64, 32, 10)), lambda: twins.mlp((784, 64, 32, 10)), 0),
    "lenet5": (tg.models.LeNet5, twins.lenet5, 2),
}
OPTIMIZERS = {
    "sgd": (dict(lr=0.05, momentum=0.9), "SGD"),
    "adam": (dict(lr=2e-3), "Adam"),
    "adamw": (dict(lr=2e-3, weight_decay=0.05), "AdamW"),
}
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}


@pytest.fixture(scope="module")
def digits():
    train, _ = load_digits()
    images, labels = train[np.arange(STEPS * BATCH)]
    return images.astype(np.float64) / 255, labels.astype(np.int64)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_losses_follow_torch(network, optimizer, dtype, digits):
    make_ours, make_theirs, border = NETWORKS[network]
    options, name = OPTIMIZERS[optimizer]
    images, labels = digits
    images = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border))).astype(dtype)

    ours = make_ours().astype(dtype)
    theirs = make_theirs().to(torch.float64 if dtype is np.float64 else torch.float32)
    twins.copy_weights(ours, theirs)
    our_step = getattr(tg.optim, name)(ours.parameters(), **options)
    their_step = getattr(torch.optim, name)(theirs.parameters(), **options)

    differences = []
    for i in range(STEPS):
        x, y = images[i * BATCH : (i + 1) * BATCH], labels[i * BATCH : (i + 1) * BATCH]
        loss = tg.nn.functional.cross_entropy(ours(tg.Tensor(x)), tg.Tensor(y))
        ours.zero_grad()
        loss.backward()
        our_step.step()
        reference = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        theirs.zero_grad()
        reference.backward()
        their_step.step()
        assert loss.dtype == dtype
        differences.append(abs(loss.item() - reference.item()))
    assert max(differences) < TOLERANCE[dtype]
    assert loss.item() < 2.0  # and it learns
