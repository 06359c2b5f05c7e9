"""Checkpoints of torchvision load strictly and give the same logits: its own models, with random weights.

Of torchvision only the definitions of networks are used. Its compiled operations (of which none is needed
here) may not fit the installed torch, so that part of its import is passed over.
"""

import importlib
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import save_file

import tinygrad_notes as tg
from tinygrad_notes import models
from tinygrad_notes.checkpoint import CheckpointError
from tinygrad_notes.models.count import undrawn

torch = pytest.importorskip("torch", reason="torchvision's networks need torch")
pytest.importorskip("PIL", reason="torchvision needs Pillow")


@pytest.fixture(scope="module")
def torchvision():
    """The module torchvision.models."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision._meta_registrations", types.ModuleType("empty"))
        yield importlib.import_module("torchvision.models")


NETWORKS = {
    "alexnet": (models.AlexNet, {}, (2, 3, 96, 96)),
    "vgg11": (models.VGG11, {}, (1, 3, 64, 64)),
    "vgg13": (models.VGG13, {}, (1, 3, 64, 64)),
    "vgg16": (models.VGG16, {}, (1, 3, 64, 64)),
    "vgg19": (models.VGG19, {}, (1, 3, 64, 64)),
    "vgg16_bn": (models.VGG16, {"batch_norm": True}, (1, 3, 64, 64)),
    "googlenet": (models.GoogLeNet, {}, (2, 3, 96, 96)),
    "googlenet, transformed": (models.GoogLeNet, {"transform_input": True}, (2, 3, 96, 96)),
    "googlenet, no aux": (models.GoogLeNet, {"aux_logits": False}, (2, 3, 96, 96)),
    "resnet18": (models.ResNet18, {}, (2, 3, 96, 96)),
    "resnet34": (models.ResNet34, {}, (2, 3, 96, 96)),
}
LARGE = ("alexnet", "vgg13", "vgg16", "vgg19", "vgg16_bn")  # 240 MB and more: passed in memory


def theirs(torchvision, name, options):
    """torchvision's network in evaluation mode, with weights and statistics that no signal dies of."""
    options = {k: v for k, v in options.items() if k != "batch_norm"}
    if name.startswith("googlenet"):
        options = {"aux_logits": True, "init_weights": False, **options}
    with torch.device("meta"):
        network = getattr(torchvision, name.partition(",")[0])(weights=None, **options)
    network = network.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            value.fill_(7)
        elif value.ndim > 1:  # He et al. 2015
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif key.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.uniform_(-0.2, 0.2, generator=generator)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_of_torchvision_gives_the_same_logits(torchvision, tmp_path, name):
    make, options, shape = NETWORKS[name]
    network = theirs(torchvision, name, options)
    with undrawn():
        ours = make(variant="torchvision", **options).eval()
    state = network.state_dict()
    if name not in LARGE:
        torch.save(state, tmp_path / "saved.pth")
        save_file({k: v.numpy() for k, v in state.items()}, tmp_path / "saved.safetensors")
        state = tg.load(tmp_path / "saved.pth")
        other = tg.load(tmp_path / "saved.safetensors")
        assert state.keys() == other.keys()
        assert all(np.array_equal(state[key], other[key]) for key in state)
    assert ours.load_state_dict(state) == ([], [])
    assert all(b._data.item() == 7 for k, b in ours.named_buffers() if k.endswith("num_batches_tracked"))
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    with torch.no_grad(), tg.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
        logits = ours(tg.Tensor(x)).numpy()
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()


def test_checkpoints_that_do_not_fit_are_refused(torchvision, tmp_path):
    state = {k: v.numpy() for k, v in theirs(torchvision, "resnet18", {}).state_dict().items()}
    with undrawn():
        ours = models.ResNet18(variant="torchvision")
    before = ours.fc.bias.numpy().copy()
    renamed = {("head.bias" if k == "fc.bias" else k): v for k, v in state.items()}
    with pytest.raises(KeyError, match=r"missing \['fc.bias'\], unexpected \['head.bias'\]"):
        ours.load_state_dict(renamed)
    with pytest.raises(ValueError, match=r"fc.weight: \(10, 512\) for \(1000, 512\)"):
        ours.load_state_dict({**state, "fc.weight": state["fc.weight"][:10]})
    np.testing.assert_array_equal(ours.fc.bias.numpy(), before)
    # Files from before PyTorch 0.4.1, the published ResNet-18 among them, lack the counter.
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert ours.load_state_dict(old) == ([], [])


def test_damaged_files_of_pytorch_are_refused(tmp_path):
    path = tmp_path / "saved.pth"
    torch.save({"weight": torch.ones(100)}, path)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], b"not a checkpoint at all"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"saved\.pth: not a sound file of PyTorch's"):
            tg.load(path)
    torch.save({"model": {"weight": torch.ones(1)}}, path)
    with pytest.raises(CheckpointError, match="holds no state_dict"):
        tg.load(path)
    save_file({"weight": np.ones(100)}, tmp_path / "saved.safetensors")
    whole = (tmp_path / "saved.safetensors").read_bytes()
    (tmp_path / "saved.safetensors").write_bytes(whole[:-8])
    with pytest.raises(CheckpointError, match=r"saved\.safetensors"):
        tg.load(tmp_path / "saved.safetensors")


def test_pytorchs_files_need_torch(tmp_path, monkeypatch):
    (tmp_path / "saved.pth").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CheckpointError, match="needs torch; install it, or convert"):
        tg.load(tmp_path / "saved.pth")
