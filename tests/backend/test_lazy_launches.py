"""How many launches a rule makes, and when kernels are compiled, counted on the stand-in."""

import sys

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.autograd import Function
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops import normalization


@pytest.fixture
def counted(gpu):
    """The stand-in's record of launches."""
    standin = getattr(sys.modules["cupy"], "_standin", None)
    if standin is None:
        pytest.skip("launches are counted on the stand-in")
    return standin


def tensor(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return tg.Tensor(values.astype(np.float32), requires_grad=True)


def launches(counted, run):
    run()  # fills caches
    counted.reset()
    result = run()
    return result, counted.launches.total()


def forward_and_backward(counted, run, *inputs):
    """Launches of the forward, and of the backward without the seeds and the copies that `grad` gives out."""
    y, forward = launches(counted, lambda: run(*inputs))
    outputs = y if isinstance(y, tuple) else (y,)
    seeds = [tg.Tensor(np.ones(out.shape, np.float32)) for out in outputs]
    _, backward = launches(counted, lambda: tg.grad(outputs, inputs, seeds, retain_graph=True))
    return forward, backward - len(inputs)


ONE = {
    "relu": F.relu, "sigmoid": F.sigmoid, "tanh": F.tanh, "gelu": F.gelu, "silu": F.silu, "elu": F.elu,
    "gelu, tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus, "leaky_relu": F.leaky_relu,
    "abs": tg.abs, "square": tg.square, "log1p": tg.log1p, "clip": lambda x: tg.clip(x, -1, 1),
    "power": lambda x: x**3,
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_an_activation_is_one_launch_each_way(counted, name):
    assert forward_and_backward(counted, ONE[name], tensor(3, 4)) == (1, 1)


def test_dropout_is_one_launch_each_way(counted):
    mask = tg.Tensor(np.ones((3, 4), np.float32))
    forward, backward = forward_and_backward(counted, lambda x: F.dropout(x, mask=mask), tensor(3, 4))
    assert (forward, backward) == (2, 1)  # a copy of the mask


@pytest.mark.parametrize(
    ("name", "run", "shapes", "expected"),
    [
        ("softmax", F.softmax, [(3, 4)], (3, 2)),  # largest, sum, quotient; sum, product
        ("log_softmax", F.log_softmax, [(3, 4)], (3, 2)),
        ("linear", F.linear, [(3, 4), (5, 4), (5,)], (2, 3)),  # a product, a sum; a launch for each gradient
        ("a stretched factor", lambda a, b: a * b, [(3, 4), (4,)], (1, 2)),
        ("mse_loss", F.mse_loss, [(3, 4), (3, 4)], (1, 2)),
        ("local_response_norm", lambda x: F.local_response_norm(x, 3), [(2, 4, 3, 3)], (3, 4)),
        ("layer_norm", lambda x, g, b: F.layer_norm(x, (4,), g, b), [(3, 4), (4,), (4,)], (3, 4)),
        ("rms_norm", lambda x, g: F.rms_norm(x, (4,), g), [(3, 4), (4,)], (2, 3)),
        # means, variances, the value; two sums together, gx, and what has C numbers
        ("batch_norm", normalization.batch_norm, [(2, 3, 4, 4), (3,), (3,)], (3, 3)),
        # factors: ones, labels, rows, a sum, their kernel; largest, columns, sums, value; Σ; gx alike
        ("cross_entropy", lambda x: F.cross_entropy(x, tg.Tensor([2, 0, 1])), [(3, 4)], (10, 4)),
        ("concat", lambda a, b: tg.concat([a, b]), [(3, 4), (2, 4)], (2, 0)),
        ("pad", lambda x: tg.pad(x, 1), [(3, 4)], (2, 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_launches_of_a_rule(counted, name, run, shapes, expected):
    assert forward_and_backward(counted, run, *(tensor(*shape) for shape in shapes)) == expected


def test_sums_over_the_same_axes_are_one_launch(counted):
    def rule(xp, a, b):
        total = xp.sum(a * b, axis=0)
        mean = xp.mean(a, axis=0)
        variance = xp.mean((b - mean) ** 2, axis=0)  # needs a sum itself
        return a * total + mean, xp.sqrt(variance + 1), xp.sum(b, axis=1)

    a, b = tensor(3, 4)._data, tensor(3, 4, seed=1)._data
    _, count = launches(counted, lambda: tg.backend.xp.read(rule)(None, a, b))
    assert count == 2 + 1 + 1  # two of axis 0 and a third that waits for them, one of axis 1; what is (3, 4)


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [("RNN", 2, 2), ("LSTM", 2, 2), ("GRU", 2, 2)],
)
def test_a_step_of_a_recurrence_is_a_product_and_a_kernel(counted, name, forward, backward):
    model = getattr(tg.nn, name)(3, 4)
    counts = [forward_and_backward(counted, lambda x: model(x)[0], tensor(t, 2, 3)) for t in (4, 5)]
    assert [after - before for before, after in zip(*counts, strict=True)] == [forward, backward]


def test_an_output_that_nothing_uses_launches_nothing(counted):
    batch_norm, inputs = normalization.batch_norm, (tensor(2, 3, 4, 4), tensor(3), tensor(3))
    first = forward_and_backward(counted, lambda *x: batch_norm(*x)[0], *inputs)
    assert first == forward_and_backward(counted, batch_norm, *inputs)


def test_gradients_of_leaves_are_not_copied(counted):
    x, w, b = tensor(2, 3), tensor(4, 3), tensor(4)

    def run():
        for leaf in (x, w, b):
            leaf.grad = None
        F.linear(x, w, b).backward(seed)

    seed = tg.ones((2, 4))
    assert launches(counted, run)[1] == 2 + 3  # a launch for each gradient


class Scaled(Function):
    """y = (x s)² for a number s that changes from call to call."""

    def forward(xp, x, *, s):
        return (x * s) * (x * s)

    def backward(xp, gy, x, *, s):
        return gy * (2 * s * s) * x


def test_a_number_that_changes_compiles_nothing(counted):
    texts = sys.modules["tinygrad_notes.backend.gpu.lazy_texts"]
    x = tensor(3)
    Scaled.apply(x, s=0.1).sum().backward()
    before = texts.elementwise_kernel.cache_info().misses, texts.reduction_kernel.cache_info().misses
    for s in (0.3, 0.7, 1e-3):
        y = Scaled.apply(x, s=s)
        y.sum().backward()
        np.testing.assert_allclose(y.numpy(), (x.numpy() * np.float32(s)) ** 2, rtol=1e-6)
    assert before == (
        texts.elementwise_kernel.cache_info().misses,
        texts.reduction_kernel.cache_info().misses,
    )


def test_numbers_of_formulas_stand_in_the_text(counted):
    texts = sys.modules["tinygrad_notes.backend.gpu.lazy_texts"]
    seen = []
    texts.cupy.ElementwiseKernel, plain = (lambda *args, **kw: seen.append(args) or plain(*args, **kw),
                                           texts.cupy.ElementwiseKernel)  # fmt: skip
    try:
        xp = tg.backend.xp
        xp.read(lambda xp, x: (1 - x) * 0.125 + 2)(None, xp.from_host(np.ones(3, np.float16)))
    finally:
        texts.cupy.ElementwiseKernel = plain
    ((ins, outs, text, name),) = seen
    assert (ins, outs, name) == ("float16 in0, float32 s0", "float16 out0", "chain_subtract_multiply_add")
    assert text.splitlines() == [
        "const float v0 = (float)1;",
        "const float v1 = (float)in0;",
        "const float v2 = (float)(float16)(v0 - v1);",
        "const float v3 = s0;",
        "const float v4 = (float)(float16)(v2 * v3);",
        "const float v5 = (float)2;",
        "const float v6 = (float)(float16)(v4 + v5);",
        "out0 = (float16)v6;",
    ]
