"""The networks: exact sizes, state_dict keys, initialization, what they accept, what they refuse."""

import inspect
import math
import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, models, nn
from tinygrad_notes.models.bitmaps import bitmaps
from tinygrad_notes.models.count import multiply_adds, parameter_count, undrawn, without_arithmetic
from tinygrad_notes.models.lenet1998 import C3_TABLE, squash
from tinygrad_notes.models.variants import VARIANTS, variants
from tinygrad_notes.nn.init import fans

# network, variant: parameters, multiply-adds for one image
SIZES = {
    ("LeNet5", "notes"): (61_706, 416_520),
    ("LeNet5", "paper"): (60_000, 325_680),
    ("AlexNet", "notes"): (62_378_344, 1_135_256_096),
    ("AlexNet", "paper"): (60_965_224, 724_406_816),
    ("AlexNet", "torchvision"): (61_100_840, 714_188_480),
    ("VGG11", "torchvision"): (132_863_336, 7_609_090_048),
    ("VGG13", "torchvision"): (133_047_848, 11_308_466_176),
    ("VGG16", "notes"): (138_357_544, 15_470_264_320),
    ("VGG16", "torchvision, batch_norm"): (138_365_992, 15_470_264_320),
    ("VGG19", "torchvision"): (143_667_240, 19_632_062_464),
    ("GoogLeNet", "notes"): (13_378_280, 1_582_671_872),
    ("GoogLeNet", "paper"): (13_378_280, 1_582_671_872),
    ("GoogLeNet", "paper, no aux"): (6_998_552, 1_582_671_872),
    ("GoogLeNet", "torchvision"): (13_004_888, 1_498_376_192),
    ("GoogLeNet", "torchvision, no aux"): (6_624_904, 1_498_376_192),
    ("GoogLeNet", "torchvision-5x5"): (13_385_816, 1_582_671_872),
    ("ResNet18", "notes"): (11_689_512, 1_814_073_344),
    ("ResNet18", "paper"): (11_515_688, 1_794_805_760),
    ("ResNet34", "torchvision"): (21_797_672, 3_663_761_408),
    ("ResNet34", "paper"): (21_623_848, 3_644_493_824),
    ("CifarResNet", "20, option A"): (269_722, 40_551_040),
    ("CifarResNet", "20, option A-centered"): (269_722, 40_551_040),
    ("CifarResNet", "20, option B"): (272_474, 40_813_184),
    ("CifarResNet", "32, option A"): (464_154, 68_862_592),
    ("CifarResNet", "44, option A"): (658_586, 97_174_144),
    ("CifarResNet", "56, option A"): (853_018, 125_485_696),
    ("CifarResNet", "110, option A"): (1_727_962, 252_887_680),
}


def build(network, variant):
    with undrawn():
        return next(v for v in VARIANTS[network] if v.name == variant).build()


@pytest.mark.parametrize("network, variant", SIZES)
def test_parameters_and_multiply_adds(network, variant):
    model = build(network, variant)
    assert (parameter_count(model), multiply_adds(model, model.input_shape)) == SIZES[network, variant]


def test_variants_computes_its_rows():
    rows = {r.variant: (r.parameters, r.macs) for r in variants("ResNet18")}
    assert rows == {name: SIZES["ResNet18", "paper" if name == "paper" else "notes"] for name in rows}
    assert list(rows) == ["notes", "paper", "torchvision"]
    with pytest.raises(ValueError, match="has one form"):
        variants("MLP")


def test_counted_networks_take_no_memory():
    with undrawn():
        model = models.VGG16()
    held = [p._data for p in model.parameters() if p.ndim > 1]
    assert len(held) == 16 and all(set(a.strides) == {0} and not a[0].any() for a in held)


@pytest.mark.parametrize("model", [models.CifarResNet(8), models.SimpleCNN(), models.LeNet5()])
def test_multiply_adds_agree_with_the_layers_that_ran(model):
    from tinygrad_notes.models.summary import summary

    layers = summary(model, model.input_shape)
    assert multiply_adds(model, model.input_shape) == sum(layer.macs for layer in layers)
    assert model.training and not any("forward" in vars(m) for m in model.modules())


@pytest.mark.parametrize(
    "layer, uses",
    [
        (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2), groups=2), 4 * 9 * 6 * 2 * 6),
        (nn.ConvTranspose2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 0), 2, dilation=(1, 2)), 8 * 9 * 4 * 3 * 6),
    ],
)
def test_a_layer_without_arithmetic_has_the_shape_that_it_computes(layer, uses):
    x = tg.zeros((1, 4, 8, 9))
    y, macs = without_arithmetic(layer, x)
    assert y.shape == layer(x).shape
    assert macs == uses


def test_parts_of_googlenet_and_resnet_have_their_sizes():
    net = build("GoogLeNet", "paper")
    inceptions = [parameter_count(m) for name, m in net.named_children() if name.startswith("inception")]
    assert inceptions == [163_696, 388_736, 376_176, 449_160, 510_104, 605_376, 868_352, 1_043_456, 1_444_080]
    assert sum(parameter_count(m) for m in (net.conv1, net.conv2, net.conv3)) == 124_416
    assert parameter_count(net.aux1) + parameter_count(net.aux2) == 6_379_728
    with undrawn():
        small = models.GoogLeNet(variant="torchvision-5x5", aux_logits=False)
        net = models.ResNet18()
    assert parameter_count(small) == 7_005_832
    stages = [parameter_count(getattr(net, f"layer{i}")) for i in (1, 2, 3, 4)]
    assert stages == [147_968, 525_568, 2_099_712, 8_393_728]


def test_a_bias_before_batch_norm_would_show():
    """The common mistake gives 11,694,312 parameters: one bias per output channel of a convolution."""
    model = build("ResNet18", "notes")
    biases = sum(m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d))
    assert all(m.bias is None for m in model.modules() if isinstance(m, nn.Conv2d))
    assert parameter_count(model) + biases == 11_694_312


# ---- torchvision's keys -----------------------------------------------------------------------

BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _bn(name):
    return [f"{name}.{key}" for key in BN]


def _layers(name, *places):
    return [f"{name}.{i}.{key}" for i in places for key in ("weight", "bias")]


def _resnet_keys(counts):
    keys = ["conv1.weight", *_bn("bn1"), "fc.weight", "fc.bias"]
    for stage, count in enumerate(counts, 1):
        for i in range(count):
            block = f"layer{stage}.{i}"
            for n in (1, 2):
                keys += [f"{block}.conv{n}.weight", *_bn(f"{block}.bn{n}")]
        if stage > 1:
            keys += [f"layer{stage}.0.downsample.0.weight", *_bn(f"layer{stage}.0.downsample.1")]
    return keys


def _googlenet_keys():
    convolutions = ["conv1", "conv2", "conv3", "aux1.conv", "aux2.conv"]
    for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        convolutions += [f"inception{name}.{branch}" for branch in branches]
    keys = [key for c in convolutions for key in (f"{c}.conv.weight", *_bn(f"{c}.bn"))]
    linear = ("fc", "aux1.fc1", "aux1.fc2", "aux2.fc1", "aux2.fc2")
    return keys + [f"{name}.{key}" for name in linear for key in ("weight", "bias")]


TORCHVISION = {
    "AlexNet": _layers("features", 0, 3, 6, 8, 10) + _layers("classifier", 1, 4, 6),
    "VGG11": _layers("features", 0, 3, 6, 8, 11, 13, 16, 18) + _layers("classifier", 0, 3, 6),
    "VGG13": _layers("features", 0, 2, 5, 7, 10, 12, 15, 17, 20, 22) + _layers("classifier", 0, 3, 6),
    "VGG16": _layers("features", 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    + _layers("classifier", 0, 3, 6),
    "VGG19": _layers("features", 0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    + _layers("classifier", 0, 3, 6),
    "GoogLeNet": _googlenet_keys(),
    "ResNet18": _resnet_keys((2, 2, 2, 2)),
    "ResNet34": _resnet_keys((3, 4, 6, 3)),
}


def keys(model):
    """Those of state_dict, without copying the values."""
    return [name for kind in (model.named_parameters(), model.named_buffers()) for name, _ in kind]


@pytest.mark.parametrize("network", TORCHVISION)
def test_keys_are_those_of_torchvision(network):
    assert sorted(keys(build(network, "torchvision"))) == sorted(TORCHVISION[network])


def test_keys_of_vgg_with_batch_norm():
    convolutions, norms = (0, 4, 8, 11, 15, 18, 22, 25), (1, 5, 9, 12, 16, 19, 23, 26)
    expected = _layers("features", *convolutions) + [key for i in norms for key in _bn(f"features.{i}")]
    expected += _layers("classifier", 0, 3, 6)
    assert sorted(keys(build("VGG11", "torchvision, batch_norm"))) == sorted(expected)


def test_layouts_of_torchvision():
    shapes = {k: p.shape for k, p in build("GoogLeNet", "torchvision").named_parameters()}
    assert shapes["inception4e.branch3.1.conv.weight"] == (128, 32, 3, 3)
    assert shapes["aux2.conv.conv.weight"] == (128, 528, 1, 1) and shapes["aux2.fc1.weight"] == (1024, 2048)
    shapes = {k: p.shape for k, p in build("ResNet18", "torchvision").named_parameters()}
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1) and shapes["fc.weight"] == (1000, 512)


# ---- what they start from ---------------------------------------------------------------------


def test_alexnet_starts_as_in_the_paper():
    net = models.AlexNet(5, "paper", hidden=64)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [m.bias.numpy().mean() for m in layers] == [0, 1, 0, 1, 1, 1, 1, 0]
    assert all(0.009 < m.weight.numpy().std() < 0.011 for m in layers)
    assert [m.groups for m in layers[:5]] == [1, 2, 1, 2, 2]


def test_residual_nets_start_at_he_fan_out():
    net = models.CifarResNet(20)
    weight = net.layer3[1].conv1.weight.numpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (64 * 9)), rel=0.05)
    assert (net.bn1.weight.numpy() == 1).all() and (net.bn1.bias.numpy() == 0).all()


def test_the_two_orders_of_option_a_are_one_network_with_its_channels_permuted():
    """Weights of the one order, their channels permuted, give the same logits in the other."""
    tg.manual_seed(0)
    behind, centered = models.CifarResNet(20), models.CifarResNet(20, option="A-centered")
    for model in (behind, centered):
        model.eval()
    rng = np.random.default_rng(0)
    state = {
        key: rng.uniform(0.5, 1.5, a.shape).astype(np.float32) if ".bn" in key and a.dtype.kind == "f" else a
        for key, a in behind.state_dict().items()
    }
    behind.load_state_dict(state)
    centered.load_state_dict(state)
    x = tg.Tensor(rng.standard_normal((2, 3, 32, 32)).astype(np.float32))
    expected = behind(x).numpy()
    assert abs(centered(x).numpy() - expected).max() > 0.1  # the weights fit, and mean nothing

    stream, permuted = (
        np.arange(16),
        {},
    )  # stream[i]: the channel behind that is channel i of the centered one
    for stage in ("", "layer1", "layer2", "layer3", "fc"):
        if stage in ("layer2", "layer3"):
            new = np.arange(len(stream), 2 * len(stream))
            before, stream = stream, np.concatenate([new[: len(new) // 2], stream, new[len(new) // 2 :]])
        for key in (k for k in state if (k.split(".")[0] if "layer" in k or "fc" in k else "") == stage):
            value = state[key]
            first = key.endswith("0.conv1.weight") and stage in ("layer2", "layer3")
            if key.endswith("conv1.weight") and stage:
                value = value[:, before if first else stream]
            elif key == "fc.weight":
                value = value[:, stream]
            elif ("conv2" in key or "bn2" in key or not stage) and value.ndim:
                value = value[stream]
            permuted[key] = value
    centered.load_state_dict(permuted)
    np.testing.assert_allclose(centered(x).numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("option", ["A", "A-centered"])
def test_option_a_pads_as_it_says(option):
    torch = pytest.importorskip("torch")
    block = models.CifarResNet(8, option=option).layer2[0].downsample
    x = np.random.default_rng(0).standard_normal((2, 16, 6, 6)).astype(np.float32)
    around = (0, 16) if option == "A" else (8, 8)
    theirs = torch.nn.functional.pad(torch.from_numpy(x)[:, :, ::2, ::2], (0, 0, 0, 0, *around))
    np.testing.assert_array_equal(block(tg.Tensor(x)).numpy(), theirs.numpy())


# ---- what they accept -------------------------------------------------------------------------


def zeros(*shape):
    return tg.Tensor(np.zeros(shape, np.float32))


@pytest.mark.parametrize("make, shape, message", [
    (lambda: models.AlexNet(5, hidden=8), (1, 3, 224, 224),
     r"227×227, got 224×224; .*\(224 − 11\)/4 \+ 1 = 54.25 of 224"),
    (lambda: models.AlexNet(5, "torchvision", hidden=8), (1, 3, 62, 62), "at least 63×63, got 62×62"),
    (lambda: models.VGG11(5, hidden=8), (1, 3, 192, 192), "must be 224×224, got 192×192"),
    (lambda: models.VGG11(5, variant="torchvision", hidden=8), (1, 3, 31, 40), "at least 32×32"),
    (lambda: models.GoogLeNet(5, "torchvision", aux_logits=False), (1, 3, 14, 14), "at least 15×15"),
    (lambda: models.GoogLeNet(5, "paper", aux_logits=False), (1, 3, 30, 40), "at least 31×31, got 30×40"),
    (lambda: models.GoogLeNet(5), (2, 3, 64, 64), "auxiliary classifiers need|kernel"),
    (lambda: models.ResNet18(5), (1, 1, 64, 64), r"images must be \(N, 3, H, W\)"),
    (lambda: models.CifarResNet(8), (3, 32, 32), r"images must be \(N, 3, H, W\)"),
    (lambda: models.SimpleCNN(), (1, 1, 32, 32), r"\(1, 28, 28\), got \(1, 32, 32\)"),
    (lambda: models.LeNet5(), (1, 1, 28, 28), "must be 32×32, got 28×28; MNIST's 28×28 need a border of 2"),
    (lambda: models.LeNet1998(), (1, 1, 28, 28), "must be 32×32, got 28×28"),
])  # fmt: skip
def test_inputs_that_do_not_fit_are_refused(make, shape, message):
    with undrawn():
        network = make()
    with pytest.raises(ValueError, match=message):
        network(zeros(*shape))


@pytest.mark.parametrize("make, message", [
    (lambda: models.AlexNet(variant="caffe"), r"one of \['notes', 'paper', 'torchvision'\], got 'caffe'"),
    (lambda: models.ResNet18(variant="C"), "variant must be one of"),
    (lambda: models.GoogLeNet(variant="v2"), "variant must be one of"),
    (lambda: models.VGG(12), "depth must be one of"),
    (lambda: models.CifarResNet(21), r"6n \+ 2"),
    (lambda: models.ResNet((2, 2, 2)), r"4 stages need as many counts of blocks, got \(2, 2, 2\)"),
    (lambda: models.CifarResNet(20, option="C"), "option must be"),
    (lambda: models.SimpleCNN((1, 3, 3)), "2 poolings leave nothing"),
])  # fmt: skip
def test_wrong_choices_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make, shape", [
    (lambda: models.AlexNet(5, "torchvision", hidden=8), (1, 3, 63, 70)),
    (lambda: models.GoogLeNet(5, "notes", aux_logits=False), (1, 3, 1, 1)),
    (lambda: models.GoogLeNet(5, "paper", aux_logits=False), (1, 3, 31, 40)),
    (lambda: models.GoogLeNet(5, "torchvision", aux_logits=False), (1, 3, 15, 16)),
])  # fmt: skip
def test_the_smallest_input_runs(make, shape):
    with undrawn():
        network = make().eval()
    assert network(zeros(*shape)).shape == (1, 5)


@pytest.mark.parametrize("network, variant, expected", [
    ("AlexNet", "notes", [0.5, 0.5]), ("AlexNet", "paper", [0.5, 0.5]),
    ("AlexNet", "torchvision", [0.5, 0.5]), ("VGG16", "paper", [0.5, 0.5]),
    ("GoogLeNet", "notes", [0.7, 0.7, 0.4]),
    ("GoogLeNet", "paper", [0.7, 0.7, 0.4]), ("GoogLeNet", "torchvision", [0.7, 0.7, 0.2]),
    ("ResNet18", "paper", []),
])  # fmt: skip
def test_dropout_has_the_published_probability(network, variant, expected):
    dropouts = [m.p for m in build(network, variant).modules() if isinstance(m, nn.Dropout)]
    assert dropouts == expected


@pytest.mark.parametrize("network, variant, place", [
    ("AlexNet", "notes", [2, 5]), ("AlexNet", "paper", [2, 5]), ("AlexNet", "torchvision", [0, 3]),
    ("VGG16", "paper", [2, 5]),
])  # fmt: skip
def test_dropout_follows_the_hidden_layers_but_in_torchvisions_alexnet(network, variant, place):
    layers = list(build(network, variant).classifier)
    assert [i for i, layer in enumerate(layers) if isinstance(layer, nn.Dropout)] == place


def test_googlenet_gives_three_outputs_in_training_only():
    with undrawn():
        net = models.GoogLeNet(5, "torchvision")
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32))
    outputs = net(x)
    assert [y.shape for y in outputs] == [(2, 5)] * 3
    labels = np.array([1, 2])
    losses = [tg.nn.functional.cross_entropy(y, labels).item() for y in outputs]
    assert net.loss(outputs, labels).item() == pytest.approx(losses[0] + 0.3 * (losses[1] + losses[2]))
    y = net.eval()(x)
    assert y.shape == (2, 5)
    assert net.loss(y, labels).item() == pytest.approx(tg.nn.functional.cross_entropy(y, labels).item())


# ---- LeNet-5 of 1998 --------------------------------------------------------------------------


def test_lenet1998_has_the_connections_of_the_paper():
    net = models.LeNet1998()
    assert {name: sum(p.size for p in m.parameters()) for name, m in net.named_children()} == {
        "c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164,
    }  # fmt: skip
    assert net.connections() == {
        "c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164, "output": 840,
    }  # fmt: skip
    assert sum(net.connections().values()) == 340_908
    assert net.bitmaps.size == 840 and sum(map(len, C3_TABLE)) == 60


def test_lenet1998_starts_within_its_fan_in():
    net = models.LeNet1998()
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120}
    for name, n in fan_in.items():
        for p in getattr(net, name).parameters():
            largest = np.abs(p.numpy()).max() * n / 2.4
            assert largest <= 1 + 1e-6 and (largest > 0.9 or p.size < 50), name
    outputs, weight = net.c3.outputs, net.c3.weight.numpy()
    for o, seen in enumerate(C3_TABLE):
        assert 0.9 < np.abs(weight[outputs == o]).max() * 25 * len(seen) / 2.4 <= 1 + 1e-6
        assert abs(net.c3.bias.numpy()[o]) <= 2.4 / (25 * len(seen))
    assert len(set(net.s2.weight.numpy())) == 6 and len(set(net.s4.weight.numpy())) == 16  # drawn, not set


def test_connection_table_is_six_threes_nine_fours_and_all():
    rows = ((i, of) for of, n in (("012", 6), ("0123", 6), ("0134", 3), ("012345", 1)) for i in range(n))
    assert [tuple(sorted((i + int(k)) % 6 for k in of)) for i, of in rows] == list(C3_TABLE)
    assert [sum(i in seen for seen in C3_TABLE) for i in range(6)] == [10] * 6  # all seen alike


def test_bitmaps_are_ten_different_drawings():
    drawn = bitmaps()
    assert drawn.shape == (10, 84) and set(drawn.flat) == {-1.0, 1.0}
    distance = (drawn[:, None] != drawn[None]).sum(2)
    assert (distance + 84 * np.eye(10) >= 5).all()


def test_squash_fixes_one():
    np.testing.assert_allclose(squash(tg.Tensor(np.array([-1.0, 0.0, 1.0]))).numpy(), [-1, 0, 1], atol=1e-4)


def test_lenet1998_criteria():
    scores = tg.Tensor(np.array([[-3.0, -1.0, -2.0]]))
    assert models.LeNet1998.loss(scores, np.array([2]), "mse").item() == pytest.approx(2.0)
    expected = 2.0 + np.log(np.exp(-1.0) + np.exp(-3.0) + np.exp(-1.0) + np.exp(-2.0))
    assert models.LeNet1998.loss(scores, np.array([2])).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="'mse' or 'map'"):
        models.LeNet1998.loss(scores, np.array([2]), "hinge")


def test_simplecnn_has_one_size():
    assert parameter_count(models.SimpleCNN()) == 160 + 4_640 + 15_690
    assert re.match(r"SimpleCNN\(", repr(models.SimpleCNN()))


@pytest.mark.parametrize("make, border, lr, fraction", [
    (models.SimpleCNN, 0, 0.05, 0.4),
    (models.LeNet1998, 2, 2e-3, 0.6),
    (lambda: models.CifarResNet(8), 0, 0.1, 0.4),
], ids=["SimpleCNN", "LeNet1998", "CifarResNet"])  # fmt: skip
def test_they_learn_the_digits(make, border, lr, fraction):
    """60 steps bring the loss below a fraction of what it was."""
    network = make()
    loss_of = getattr(network, "loss", tg.nn.functional.cross_entropy)
    train, _ = tg.data.load_digits()
    images, labels = train[np.arange(80)]
    images = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border))).astype(np.float32)
    images = np.repeat(images / 255 * 1.275 - 0.1, network.input_shape[0], axis=1)
    optimizer = tg.optim.SGD(network.parameters(), lr, momentum=0.9)
    losses = []
    for step in range(60):
        part = slice(step % 5 * 16, step % 5 * 16 + 16)
        loss = loss_of(network(tg.Tensor(images[part])), tg.Tensor(labels[part]))
        network.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < fraction * losses[0]


class Marks:
    """Stands in for the random generator: every draw is the number of its distribution, far from any bias."""

    def __init__(self):
        self.known = []

    def draw(self, *distribution):
        if distribution not in self.known:
            self.known.append(distribution)
        return 2.0**20 + self.known.index(distribution)

    def uniform(self, low, high, size):
        return np.broadcast_to(self.draw("U", low, high), size)

    def normal(self, mean, deviation, size):
        return np.broadcast_to(self.draw("N", mean, deviation), size)

    def read(self, parameter):
        """The distribution that a parameter was drawn from, or its one value."""
        value = float(parameter.numpy().flat[0])
        assert (parameter.numpy() == np.float32(value)).all()
        return self.known[int(value - 2**20)] if value >= 2**20 else round(value, 6)


def uniform(bound):
    return ("U", -bound, bound)


# What the texts of `diff` say, as (distribution of a weight, of its bias), by the layer's fans and its place
STARTS = {
    "U(±1/√fan_in), biases too": lambda fan_in, *_: (uniform(1 / math.sqrt(fan_in)),) * 2,
    "U(±2.4/fan_in), biases too": lambda fan_in, *_: (uniform(2.4 / fan_in),) * 2,
    "N(0, 2/fan_in)": lambda fan_in, *_: (("N", 0.0, math.sqrt(2) / math.sqrt(fan_in)), 0.0),
    "N(0, 2/fan_out)": lambda _, fan_out, *__: (("N", 0.0, math.sqrt(2) / math.sqrt(fan_out)), 0.0),
    "N(0, 0.01²)": lambda *_: (("N", 0.0, 0.01), 0.0),
    "N(0, 0.01²), biases 1 in conv2, 4 and 5 and in the hidden linear layers":
        lambda _, __, number, ___: (("N", 0.0, 0.01), 1.0 if number in (2, 4, 5, 6, 7) else 0.0),
    "N(0, 0.01²), biases of linear layers U(±1/√fan_in)":
        lambda fan_in, *_: (("N", 0.0, 0.01), uniform(1 / math.sqrt(fan_in))),
    "U(±√(3/fan_in)), biases 0.2, of the last layer 0":
        lambda fan_in, _, __, last: (uniform(math.sqrt(3 / fan_in)), 0.0 if last else 0.2),
}  # fmt: skip


@pytest.mark.parametrize(
    "variant",
    [v for rows in VARIANTS.values() for v in rows],
    ids=[f"{network} {v.name}" for network, rows in VARIANTS.items() for v in rows],
)
def test_layers_start_as_the_variant_says(variant, monkeypatch):
    marks = Marks()
    monkeypatch.setattr(backend, "_rng", marks)
    small = {"hidden": 8} if "hidden" in inspect.signature(variant.build).parameters else {}
    model = variant.build(**small)
    found = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    of_convolutions, _, of_linear = variant.initialization.rpartition(", linear layers ")
    of_convolutions = of_convolutions.removeprefix("convolutions ") or of_linear
    for number, layer in enumerate(found, 1):
        text = of_convolutions if isinstance(layer, nn.Conv2d) else of_linear
        last = layer is getattr(model, "fc", None)
        weight, bias = STARTS[text](*fans(layer.weight.shape), number, last)
        assert marks.read(layer.weight) == weight
        assert layer.bias is None or marks.read(layer.bias) == bias
