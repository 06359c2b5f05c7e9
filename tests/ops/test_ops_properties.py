"""Properties that hold for every shape: adjoints, broadcasting, geometry of windows."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_notes as tg
from tinygrad_notes.ops.convolution import conv2d
from tinygrad_notes.ops.pooling import avg_pool2d, max_pool2d

few = settings(max_examples=60)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
full_shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def inner(a, b):
    return float(np.sum(np.asarray(a) * np.asarray(b)))


def assert_adjoint(run, x):
    """⟨run(x), g⟩ = ⟨x, run*(g)⟩ for a linear map, whose gradient is its adjoint."""
    t = tg.Tensor(x, requires_grad=True)
    y = run(t)
    g = numbers(y.shape, seed=1)
    (adjoint,) = tg.grad(y, t, tg.Tensor(g))
    assert adjoint.shape == x.shape
    left, right = inner(y.detach().numpy(), g), inner(x, adjoint.numpy())
    assert math.isclose(left, right, rel_tol=1e-10, abs_tol=1e-10)


@few
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
def test_broadcasting_is_undone(pair):
    a, b = (tg.Tensor(numbers(s, i), requires_grad=True) for i, s in enumerate(pair.input_shapes))
    y = a * b + a - b
    assert y.shape == pair.result_shape
    y.sum().backward()
    stretched_a, stretched_b = np.broadcast_arrays(a.detach().numpy(), b.detach().numpy())
    for x, partial in ((a, stretched_b + 1), (b, stretched_a - 1)):
        axes = tuple(range(y.ndim - x.ndim))
        axes += tuple(i for i in range(len(axes), y.ndim) if x.shape[i - len(axes)] == 1)
        expected = partial.sum(axis=axes, keepdims=True).reshape(x.shape)
        np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)


@few
@given(shapes, st.data(), st.booleans())
def test_sums_over_any_axes(shape, data, keepdims):
    axes = data.draw(st.none() | st.lists(st.integers(0, max(0, len(shape) - 1)), unique=True))
    assume(axes is None or len(shape) or not axes)
    axes = axes if axes is None else tuple(a - len(shape) * (a % 2) for a in axes)
    x = numbers(shape)
    assert_adjoint(lambda t: t.sum(axis=axes, keepdims=keepdims), x)
    y = tg.Tensor(x).sum(axis=axes, keepdims=keepdims)
    np.testing.assert_allclose(y.numpy(), x.sum(axis=axes, keepdims=keepdims), atol=1e-12)


@few
@given(full_shapes, st.data())
def test_basic_and_integer_indices(shape, data):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.integer_array_indices(shape))
    x = numbers(shape)
    np.testing.assert_array_equal(tg.Tensor(x)[index].numpy(), x[index])
    assert_adjoint(lambda t: t[index], x)


@few
@given(full_shapes, st.data())
def test_masks(shape, data):
    mask = data.draw(hnp.arrays(bool, shape[: data.draw(st.integers(1, len(shape)))]))
    x = numbers(shape)
    np.testing.assert_array_equal(tg.Tensor(x)[mask].numpy(), x[mask])
    assert_adjoint(lambda t: t[mask], x)


@few
@given(full_shapes, st.data())
def test_moves_of_axes(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    to = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = numbers(shape)
    t = tg.Tensor(x)
    np.testing.assert_array_equal(tg.transpose(t, order).numpy(), x.transpose(order))
    np.testing.assert_array_equal(tg.moveaxis(t, to, 0).numpy(), np.moveaxis(x, to, 0))
    places = data.draw(st.permutations(range(len(shape))))[: data.draw(st.integers(0, len(shape)))]
    moved = tg.moveaxis(t, order[: len(places)], places)
    np.testing.assert_array_equal(moved.numpy(), np.moveaxis(x, order[: len(places)], places))
    np.testing.assert_array_equal(tg.swapaxes(t, to, 0).numpy(), x.swapaxes(to, 0))
    np.testing.assert_array_equal(tg.expand_dims(t, to).numpy(), np.expand_dims(x, to))
    assert_adjoint(lambda v: tg.transpose(v, order), x)


@few
@given(full_shapes, st.data())
def test_split_and_concat_are_inverse(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    x = numbers(shape)
    parts = tg.split(tg.Tensor(x), cuts, axis)
    for part, expected in zip(parts, np.split(x, cuts, axis), strict=True):
        np.testing.assert_array_equal(part.numpy(), expected)
    np.testing.assert_array_equal(tg.concat(parts, axis).numpy(), x)
    assert_adjoint(lambda t: tg.concat(tg.split(t, cuts, axis)[::-1], axis), x)


@few
@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, min_side=0, max_side=3))
def test_matrix_products(pair):
    a, b = (numbers(s, i) for i, s in enumerate(pair.input_shapes))
    np.testing.assert_allclose((tg.Tensor(a) @ tg.Tensor(b)).numpy(), a @ b, atol=1e-12)
    assert_adjoint(lambda t: t @ tg.Tensor(b), a)
    assert_adjoint(lambda t: tg.Tensor(a) @ t, b)


@few
@given(pairs, pairs, pairs, st.integers(0, 2), st.integers(1, 2), st.integers(0, 5), st.integers(0, 5))
def test_windows_of_any_geometry(kernel, stride, dilation, pad, groups, extra_h, extra_w):
    """Convolution is linear in x and in w, and so are mean pooling and max pooling at fixed winners."""
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    x = numbers((2, 2 * groups, span[0] + extra_h, span[1] + extra_w))
    w = numbers((2 * groups, 2, *kernel), seed=2)
    padding = (pad, (pad + 1) % 3)
    assert_adjoint(lambda t: conv2d(t, tg.Tensor(w), None, stride, padding, dilation, groups), x)
    assert_adjoint(lambda t: conv2d(tg.Tensor(x), t, None, stride, padding, dilation, groups), w)
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    for ceil in (False, True):
        assert_adjoint(lambda t, c=ceil: max_pool2d(t, kernel, stride, padding, dilation, c), x)
        for count in (False, True):
            assert_adjoint(lambda t, c=ceil, n=count: avg_pool2d(t, kernel, stride, padding, c, n), x)
