"""Convolution and pooling with every option in two different numbers, beside their definitions in loops."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F

RNG = np.random.default_rng(0)


def t(*shape, dtype=np.float32):
    return tg.Tensor(np.ones(shape, dtype))


def convolved(x, w, b, stride=(1, 1), before=(0, 0), after=(0, 0), dilation=(1, 1), groups=1):
    """The definition: y[n, o, i, j] = b[o] + Σ w[o, c, p, q] x[n, c, i s + p d − before, …]."""
    x = np.pad(x, ((0, 0), (0, 0), (before[0], after[0]), (before[1], after[1])))
    outs, reads, *kernel = w.shape
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride, strict=True)
    ]
    y = np.zeros((len(x), outs, *size))
    for o, c, p, q in np.ndindex(*w.shape):
        rows, columns = (slice(at * d, at * d + s * (m - 1) + 1, s)
                         for at, d, s, m in zip((p, q), dilation, stride, size, strict=True))  # fmt: skip
        y[:, o] += w[o, c, p, q] * x[:, o // (outs // groups) * reads + c, rows, columns]
    return y + (0 if b is None else b[:, None, None])


@pytest.mark.parametrize("dilation", [1, 2, (1, 3), (3, 1)])
@pytest.mark.parametrize("kernel", [(2, 3), (3, 2), (4, 2), (1, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_same_size_has_its_odd_border_at_the_bottom_and_the_right(kernel, dilation, bias):
    x, w, b = (RNG.standard_normal(s) for s in ((2, 2, 7, 6), (3, 2, *kernel), (3,)))
    b = b if bias else None
    both = (dilation,) * 2 if isinstance(dilation, int) else dilation
    total = [d * (k - 1) for d, k in zip(both, kernel, strict=True)]
    before, after = [n // 2 for n in total], [n - n // 2 for n in total]
    y = F.conv2d(tg.Tensor(x), tg.Tensor(w), None if b is None else tg.Tensor(b), 1, "same", dilation)
    assert y.shape == (2, 3, 7, 6)
    np.testing.assert_allclose(y.numpy(), convolved(x, w, b, (1, 1), before, after, both), atol=1e-12)
    y = F.conv2d(x, w, b, (2, 1), "valid", 1)
    np.testing.assert_allclose(y.numpy(), convolved(x, w, b, (2, 1)), atol=1e-12)


GEOMETRIES = [
    {}, dict(stride=(2, 3)), dict(padding=(2, 1)), dict(dilation=(2, 1)), dict(groups=2),
    dict(stride=(3, 1), padding=(0, 2), dilation=(1, 2), groups=2),
]  # fmt: skip


@pytest.mark.parametrize("options", GEOMETRIES, ids=str)
def test_a_convolution_of_any_geometry_is_the_definition(options):
    x, w, b = (RNG.standard_normal(s) for s in ((2, 4, 7, 8), (6, 4 // options.get("groups", 1), 2, 3), (6,)))
    given = dict(options)
    padding = given.pop("padding", (0, 0))
    expected = convolved(x, w, b, before=padding, after=padding, **given)
    np.testing.assert_allclose(F.conv2d(x, w, b, **options).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(F.conv2d(x[0], w, b, **options).numpy(), expected[0], atol=1e-12)


@pytest.mark.parametrize("extra", [(0, 0), (1, 0), (0, 2), (2, 1)])
@pytest.mark.parametrize("options", [
    dict(stride=(3, 3)), dict(stride=(1, 2), dilation=(3, 4), padding=(2, 1)),
    dict(stride=(3, 1), dilation=(1, 3), padding=(1, 2), groups=2),
], ids=str)  # fmt: skip
def test_a_transposed_convolution_is_the_adjoint_of_the_definition(options, extra):
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩ for images of every size that gives that of g."""
    groups = options.get("groups", 1)
    g, w, b = (RNG.standard_normal(s) for s in ((2, 4, 3, 2), (4, 3, 2, 3), (3 * groups,)))
    y = F.conv_transpose2d(g, w, None, output_padding=extra, **options).numpy()
    given = dict(options)
    padding, stride = given.pop("padding", (0, 0)), options["stride"]
    dilation = options.get("dilation", (1, 1))
    size = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + e for n, s, p, d, k, e in
                 zip((3, 2), stride, padding, dilation, (2, 3), extra, strict=True))  # fmt: skip
    assert y.shape == (2, 3 * groups, *size)
    x = RNG.standard_normal(y.shape)
    seen = convolved(x, w, None, before=padding, after=padding, **given)[:, :, :3, :2]
    assert math.isclose((seen * g).sum(), (x * y).sum(), rel_tol=1e-10)
    with_bias = F.conv_transpose2d(tg.Tensor(g), tg.Tensor(w), tg.Tensor(b), output_padding=extra, **options)
    np.testing.assert_allclose(with_bias.numpy() - y, np.broadcast_to(b[:, None, None], y.shape), atol=1e-12)


def windows(length, kernel, stride, padding, dilation, ceil_mode):
    """The places of each window, those outside of the image as well."""
    span = length + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    starts = [i * stride - padding for i in range(count)]
    return [
        [s + dilation * j for j in range(kernel)] for s in starts if s < length + padding * (not ceil_mode)
    ]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("options", [
    dict(kernel_size=2), dict(kernel_size=(3, 2)), dict(kernel_size=(3, 2), stride=(2, 1)),
    dict(kernel_size=(2, 4), padding=(1, 2), stride=(3, 2)), dict(kernel_size=(4, 3), padding=(2, 0)),
    dict(kernel_size=(2, 3), dilation=(3, 1)),
    dict(kernel_size=(3, 2), dilation=(1, 3), padding=(1, 0), stride=2),
], ids=str)  # fmt: skip
def test_pooling_of_any_geometry_is_the_definition(options, ceil_mode):
    x = RNG.standard_normal((2, 2, 7, 8))
    kernel = options["kernel_size"]
    four = [kernel, options.get("stride", kernel), options.get("padding", 0), options.get("dilation", 1)]
    four = [(v, v) if isinstance(v, int) else v for v in four]
    rows, columns = (windows(n, *(v[i] for v in four), ceil_mode) for i, n in enumerate((7, 8)))
    largest = np.zeros((2, 2, len(rows), len(columns)))
    inside, whole = np.zeros_like(largest), np.zeros_like(largest)
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        cut = x[:, :, [n for n in r if 0 <= n < 7]][..., [n for n in c if 0 <= n < 8]]
        largest[:, :, i, j] = cut.max((2, 3))
        inside[:, :, i, j] = cut.mean((2, 3))
        padded = math.prod(sum(n < size + p for n in places)
                           for places, size, p in zip((r, c), (7, 8), four[2], strict=True))  # fmt: skip
        whole[:, :, i, j] = cut.sum((2, 3)) / padded
    np.testing.assert_array_equal(F.max_pool2d(x, **options, ceil_mode=ceil_mode).numpy(), largest)
    if "dilation" not in options:
        for count, expected in ((True, whole), (False, inside)):
            y = F.avg_pool2d(x, **options, ceil_mode=ceil_mode, count_include_pad=count)
            np.testing.assert_allclose(y.numpy(), expected, atol=1e-13)


IMAGE, WEIGHT = (1, 2, 5, 5), (4, 2, 3, 3)
REFUSED = [
    *((lambda f=f, x=x: f(t(*x), t(*WEIGHT)), ValueError,
       f"{f.__name__}: images must be (N, C, H, W) or (C, H, W), got {x}")
      for f in (F.conv2d, F.conv_transpose2d) for x in ((5, 5), (1, 1, 2, 5, 5))),
    *((lambda f=f: f(t(2, 5), 2), ValueError,
       f"{f.__name__}: images must be (N, C, H, W) or (C, H, W), got (2, 5)")
      for f in (F.max_pool2d, F.avg_pool2d)),
    *((lambda f=f: f(t(1, 2, 4, 4, dtype=int), 2), TypeError,
       f"{f.__name__}: images must be real numbers, got int64; use .astype('float32')")
      for f in (F.max_pool2d, F.avg_pool2d)),
    *((lambda f=f: f(t(*IMAGE, dtype=int), t(*WEIGHT, dtype=int)), TypeError,
       f"{f.__name__}: images must be real numbers, got int64") for f in (F.conv2d, F.conv_transpose2d)),
    *((lambda f=f: f(t(*IMAGE), t(*WEIGHT), t(4, dtype=np.float64)), TypeError,
       f"{f.__name__}: input is float32 but bias is float64; all must have one dtype")
      for f in (F.conv2d, F.conv_transpose2d)),
    *((lambda f=f: f(t(*IMAGE), t(*WEIGHT, dtype=np.float16), t(4, dtype=np.float64)), TypeError,
       f"{f.__name__}: input is float32 but weight is float16 and bias is float64; all must have one dtype")
      for f in (F.conv2d, F.conv_transpose2d)),
    *((lambda f=f, g=g: f(t(*IMAGE), t(*WEIGHT), groups=g), ValueError,
       f"{f.__name__}: groups must be a positive integer, got {g}")
      for f in (F.conv2d, F.conv_transpose2d) for g in (0, -1, 1.0)),
    (lambda: F.conv_transpose2d(t(*IMAGE), t(*WEIGHT)), ValueError,
     "conv_transpose2d: weight must be (I, O/groups, kh, kw) with groups = 1 dividing I, got (4, 2, 3, 3) "
     "for (1, 2, 5, 5)"),
    (lambda: F.conv_transpose2d(t(1, 3, 5, 5), t(3, 2, 3, 3), groups=2), ValueError,
     "conv_transpose2d: weight must be (I, O/groups, kh, kw) with groups = 2 dividing I, got (3, 2, 3, 3)"),
    (lambda: F.conv_transpose2d(t(*IMAGE), t(2, 3, 3, 3), t(3, 1)), ValueError,
     "conv_transpose2d: bias must be (O,) = (3,), got (3, 1)"),
    (lambda: F.conv_transpose2d(t(*IMAGE), t(2, 3, 3, 3), t(3), groups=2), ValueError,
     "conv_transpose2d: bias must be (O,) = (6,), got (3,)"),
    (lambda: F.conv_transpose2d(t(*IMAGE), t(2, 3, 3, 3), None, (2, 4), 0, (3, 1), 1, (3, 1)), ValueError,
     "conv_transpose2d: output_padding (3, 1) must be below stride (2, 4) or dilation (3, 1)"),
    (lambda: F.conv_transpose2d(t(1, 2, 1, 5), t(2, 3, 3, 3), padding=(1, 4)), ValueError,
     "conv_transpose2d: padding (1, 4) leaves nothing, the output would be (1, -1)"),
    (lambda: F.conv_transpose2d(t(1, 2, 1, 5), t(2, 3, 2, 3), padding=(1, 0)), ValueError,
     "conv_transpose2d: padding (1, 0) leaves nothing, the output would be (0, 7)"),
    (lambda: F.max_pool2d(t(*IMAGE), (2, 3, 4)), ValueError,
     "max_pool2d: kernel_size must be an integer or a pair of them, got (2, 3, 4)"),
    (lambda: F.avg_pool2d(t(*IMAGE), 3, (1, 0)), ValueError,
     "avg_pool2d: stride must be at least 1, got (1, 0)"),
    (lambda: F.conv2d(t(*IMAGE), t(*WEIGHT), padding="full"), ValueError,
     "conv2d: padding must be 'same', 'valid', an integer or a pair, got 'full'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m[:60] for _, _, m in REFUSED])
def test_what_does_not_fit_is_refused_with_its_values(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        call()
