"""The quick ways are taken for the shapes of networks: which algorithm, how many threads, how many blocks."""

from collections import Counter

import numpy as np
import pytest
from kernel_cases import laid_out

from tinygrad_notes import backend, nn, optim
from tinygrad_notes.autograd import Tensor, no_grad
from tinygrad_notes.backend import cpu
from tinygrad_notes.backend.kernels import (
    batch_last,
    blas,
    convolution,
    elementwise,
    fusion,
    lowering,
    matrixwise,
    normalization,
    pooling,
    products,
    reduction,
    rows,
    scan,
    scatter,
    threads,
    ufuncs,
    update,
    winograd,
)
from tinygrad_notes.backend.kernels.blocking import BLOCK
from tinygrad_notes.backend.kernels.convolution import ALGORITHMS, choose
from tinygrad_notes.backend.kernels.geometry import conv_geometry
from tinygrad_notes.models.count import undrawn, without_arithmetic
from tinygrad_notes.tasks.images.recipes import RECIPES

FLOATS = (np.dtype(np.float32),) * 2
TUNED = {
    batch_last: ["reshape"],
    convolution: ["conv2d", "conv2d_input_grad", "conv2d_weight_grad", "im2col", "col2im"],
    elementwise: ["erf"],
    fusion: ["elementwise", "elementwise_sum"],
    matrixwise: ["matrixwise"],
    normalization: ["normalize", "normalize_grad"],
    pooling: ["avg_pool2d", "avg_pool2d_adjoint", "max_pool2d", "max_pool2d_gather", "max_pool2d_scatter"],
    products: ["matmul"],
    reduction: ["cumsum", "einsum", "mean", "sum"],
    rows: ["rowwise"],
    scan: ["scan"],
    scatter: ["add_rows", "scatter_add", "take_rows"],
    ufuncs: ["add", "exp", "log", "maximum", "minimum", "multiply", "sqrt", "tanh", "where"],
    update: ["adam_update", "sgd_update"],
}


def test_numpy_computes_with_the_tuned_kernels():
    for module, names in TUNED.items():
        for name in names:
            assert getattr(cpu, name) is getattr(module, name), name
    assert normalization.normalize.args == normalization.normalize_grad.args == (fusion.elementwise,)


# ---- convolutions ------------------------------------------------------------------------------


def convolutions(name):
    """(arguments of conv_geometry) of each convolution of a network in a batch of its recipe."""
    recipe = RECIPES[name]
    shape = (recipe.channels or 1, *(recipe.size or 28,) * 2)
    with undrawn():
        model = recipe.build(shape, 10, recipe.variants[0]).eval()
    found = []

    def watched(layer):
        def run(x):
            places = layer.stride, layer.padding, layer.dilation, layer.groups
            batch = (recipe.defaults["batch_size"], *x.shape[1:])
            found.append((batch, layer.weight.shape, *places))
            return without_arithmetic(layer, x)[0]

        return run

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.forward = watched(layer)
        elif isinstance(layer, nn.Linear):
            layer.forward = lambda x, layer=layer: without_arithmetic(layer, x)[0]
    with no_grad():
        model(Tensor(np.zeros((1, *shape), np.float32)))
    return found


def choices(name, op, precision="high"):
    chosen = (choose(op, conv_geometry("conv2d", *c), FLOATS, None, precision) for c in convolutions(name))
    return dict(Counter(next(n for n, m in ALGORITHMS.items() if m is module) for module in chosen))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lenet5", {"batch_last": 2}),
        ("simplecnn", {"batch_last": 2}),
        ("resnet20", {"batch_last": 7, "im2col": 2, "winograd": 10}),  # stride 2 is left to im2col
        ("alexnet", {"im2col": 1, "winograd": 4}),
        ("vgg16", {"im2col": 1, "winograd": 12}),
        ("googlenet", {"im2col": 1, "batch_last": 1, "pointwise": 37, "winograd": 18}),
        ("resnet18", {"im2col": 4, "pointwise": 3, "winograd": 13}),
    ],
)
def test_each_convolution_of_a_network_has_its_algorithm(name, expected):
    for op in ("conv2d", "conv2d_input_grad", "conv2d_weight_grad"):
        assert choices(name, op) == expected
    exact = {"im2col" if chosen == "winograd" else chosen: 0 for chosen in expected}
    for chosen, count in expected.items():
        exact["im2col" if chosen == "winograd" else chosen] += count
    assert choices(name, "conv2d", "highest") == exact


@pytest.mark.parametrize(
    ("name", "x", "w", "stride"),
    [
        ("pointwise", (2, 64, 14, 14), (32, 64, 1, 1), 1),
        ("batch_last", (64, 6, 14, 14), (16, 6, 5, 5), 1),
        ("winograd", (8, 32, 16, 16), (32, 32, 3, 3), 1),
        ("winograd", (4, 16, 27, 27), (32, 16, 5, 5), 1),
        ("im2col", (8, 16, 32, 32), (32, 16, 3, 3), 2),
        (
            "im2col",
            (8, 32, 7, 7),
            (32, 32, 3, 3),
            1,
        ),  # so few tiles that reading 36/9 of the weights costs more
    ],
)
def test_the_algorithm_that_is_chosen_computes(monkeypatch, name, x, w, stride):
    called = []
    for other, module in ALGORITHMS.items():
        for rule in ("forward", "input_grad", "weight_grad"):
            monkeypatch.setattr(module, rule, noted(called, (other, rule), getattr(module, rule)))
    choose.cache_clear()
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x, w))
    rest = ((stride, stride), (w.shape[2] // 2,) * 2, (1, 1), 1)
    y = cpu.conv2d(x, w, None, *rest)
    cpu.conv2d_input_grad(y, w, x.shape, *rest)
    cpu.conv2d_weight_grad(y, x, w.shape, *rest)
    assert called == [(name, rule) for rule in ("forward", "input_grad", "weight_grad")]


def noted(called, entry, function):
    def run(*arguments):
        called.append(entry)
        return function(*arguments)

    return run


# ---- threads and blocks ------------------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch):
    """The numbers of shares of all work that is shared between threads, of which there are two."""
    if blas.threads() is None:
        pytest.skip("this NumPy does not bundle an OpenBLAS whose threads can be set")
    run, found = threads._run, []
    monkeypatch.setattr(threads, "threads", lambda: 2)
    monkeypatch.setattr(threads, "_run", lambda work, parts: (found.append(len(parts)), run(work, parts)))
    return found


def ones(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("a", "b", "cut"),
    [
        ((128, 784), (784, 1000), 1000),  # the MLP: its columns
        ((1000, 128), (128, 784), 1000),  # its weight gradient: the rows
        ((32, 9216), (9216, 4096), 4096),  # AlexNet
        ((64, 20_000), (20_000, 64), 20_000),  # few results of many terms: these
        ((32, 8, 64, 64), (32, 8, 64, 64), 32),  # attention: the batch
        ((64, 120), (120, 84), None),  # LeNet-5: BLAS alone, on one thread
        ((10, 20), (20, 10), None),
    ],
)
def test_large_products_are_shared(monkeypatch, shared, a, b, cut):
    counts, parallel, calm = [], threads.parallel, []
    one = threads.one_blas_thread
    monkeypatch.setattr(threads, "parallel", lambda work, n: (counts.append(n), parallel(work, n)))
    monkeypatch.setattr(threads, "one_blas_thread", lambda: (calm.append(1), one())[1])
    y = cpu.matmul(ones(*a), ones(*b))
    assert (y == a[-1]).all()
    assert (counts, shared) == (([], []) if cut is None else ([cut], [2]))
    assert len(calm) == (a == (64, 120))


def test_long_products_with_a_vector_go_block_by_block(monkeypatch):
    summed, blocks = [], products._in_blocks
    monkeypatch.setattr(products, "_in_blocks", lambda a, b: (summed.append(a.shape), blocks(a, b))[1])
    cpu.matmul(ones(1, 4096), ones(4096, 1))
    cpu.matmul(ones(1, 1024), ones(1024, 1))
    assert summed == [(1, 4096)]


MAPS = (128, 16, 32, 32)  # of ResNet-20 in a batch of its recipe
SHARED = {
    "add": lambda x: cpu.add(x, x),
    "multiply": lambda x: cpu.multiply(x, x),
    "maximum with 0": lambda x: cpu.maximum(x, 0),
    "minimum with 0": lambda x: cpu.minimum(x, 0),
    "exp": cpu.exp,
    "tanh": cpu.tanh,
    "sqrt": cpu.sqrt,
    "log": cpu.log,
    "elementwise": lambda x: cpu.elementwise(lambda a, b: a * b, x, ones(1, 16, 1, 1)),
    "elementwise_sum": lambda x: cpu.elementwise_sum(lambda a: a * a, (0, 2, 3), x),
    "normalize": lambda x: cpu.normalize(x, *(ones(1, 16, 1, 1) for _ in range(4))),
    "normalize_grad": lambda x: cpu.normalize_grad(x, x, *(ones(1, 16, 1, 1) for _ in range(5))),
    "max_pool2d": lambda x: cpu.max_pool2d(x, (2, 2), (2, 2), (0, 0), (1, 1), False),
    "avg_pool2d": lambda x: cpu.avg_pool2d(x, (2, 2), (2, 2), (0, 0), False, True),
    "rowwise": lambda x: cpu.rowwise(lambda a: a - a.max(axis=1, keepdims=True), x.reshape(-1, 64)),
    "matrixwise": lambda x: cpu.matrixwise(lambda a: (a * 2,), x if len(x) > 2 else x[0, :1]),
    "sgd_update": lambda x: optim_step(optim.SGD, x, momentum=0.9),
    "adam_update": lambda x: optim_step(optim.Adam, x),
}


def optim_step(kind, x, **options):
    with backend.use_backend("numpy"):
        p = nn.Parameter(x)
        p.grad = Tensor(x)
        kind([p], lr=0.1, **options).step()


@pytest.mark.parametrize("name", SHARED)
def test_work_on_large_arrays_is_shared_and_on_small_ones_is_not(shared, name):
    SHARED[name](ones(*MAPS))
    assert shared and set(shared) == {2}
    shared.clear()
    SHARED[name](ones(2, 16, 4, 4))
    assert not shared


@pytest.mark.parametrize("kind", ["elementwise", "elementwise_sum"])
def test_chains_run_block_by_block(kind):
    sizes = []

    def chain(x, scale):
        sizes.append(x.size)
        return x * scale

    axes = ((0, 2, 3),) if kind == "elementwise_sum" else ()
    for shape, cut in ((MAPS, True), ((2, 16, 8, 8), False)):
        sizes.clear()
        getattr(cpu, kind)(chain, *axes, ones(*shape), ones(1, 16, 1, 1))
        blocks = [size for size in sizes if size > 1]  # one look at a single number tells the dtype
        assert sum(blocks) == np.prod(shape)
        assert (len(blocks) >= np.prod(shape) / BLOCK and max(blocks) <= BLOCK) == cut or len(blocks) == 1
        assert (len(blocks) > 1) == cut


def test_thresholds_are_those_that_were_measured():
    assert (BLOCK, fusion.LARGE, ufuncs.LARGE, ufuncs.DEAR) == (1 << 18, 1 << 19, 1 << 20, 3 << 16)
    assert (products.SMALL, products.VECTOR, products.ALONE, products.TERMS) == (
        1 << 18,
        1 << 13,
        1 << 23,
        512,
    )
    assert (winograd.TILES, winograd.GROUP, batch_last.FEW, batch_last.TALL) == (200, 1 << 24, 8, 24)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("order", ["plain", "channels_last"])
def test_few_positions_are_multiplied_at_once(monkeypatch, stride, order):
    """The last stage of a ResNet: gw would be added up more often than it is worth."""
    called = []
    wide = "_wide_weight_grad"
    monkeypatch.setattr(lowering, wide, noted(called, wide, getattr(lowering, wide)))
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 24, 9, 7)), rng.standard_normal((64, 24, 3, 3))
    rest = (stride, stride), (1, 1), (1, 1), 1
    gy = rng.standard_normal(cpu.conv2d(x, w, None, *rest).shape)
    x, gy = laid_out(x, order), laid_out(gy, order)
    for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 1e-5)):
        gw = convolution.conv2d_weight_grad(gy.astype(dtype), x.astype(dtype), w.shape, *rest, "im2col")
        expected = convolution.plain.conv2d_weight_grad(np, gy, x, w.shape, *rest)
        assert gw.dtype == dtype and gw.flags.c_contiguous
        np.testing.assert_allclose(gw, expected, rtol=tolerance, atol=tolerance * abs(expected).max())
    assert called == [wide] * 2
