"""The engine equals the plain one of twenty lines, on random graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import plain

BINARY = [tg.add, tg.subtract, tg.multiply, tg.maximum, lambda a, b: a / (b * b + 1.0)]
UNARY = [tg.tanh, tg.sigmoid, tg.exp, lambda x: tg.sum(x, axis=0, keepdims=True), lambda x: x[::-1],
         lambda x: x.T, lambda x: tg.softmax(x, axis=1), lambda x: 0.5 * x]  # fmt: skip
SEVERAL = [lambda x: tg.split(x, 2, axis=0)[1], lambda x: tg.concat(tg.split(x, 2, axis=0)[::-1], axis=0)]


def random_graph(choices, leaves):
    """A Tensor made from `leaves`: each choice takes one or two of what is there and adds a result."""
    known = list(leaves)
    for kind, which, first, second in choices:
        a, b = known[first % len(known)], known[second % len(known)]
        if kind == 0:
            y = BINARY[which % len(BINARY)](a, b)
        elif kind == 1 or a.shape[0] != 2:
            y = UNARY[which % len(UNARY)](a)
        else:
            y = SEVERAL[which % len(SEVERAL)](a)
        known.append(tg.tanh(y))  # keeps every number small
    return tg.stack([k.sum() for k in known[-3:]]).sum()


step = st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 30), st.integers(0, 30))


@given(st.lists(step, min_size=1, max_size=25), st.integers(0, 2**16))
def test_the_engine_equals_the_plain_one_on_random_graphs(choices, seed):
    rng = np.random.default_rng(seed)
    leaves = [tg.Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 2), (1, 2), (2, 1))]
    output = random_graph(choices, leaves)
    found = plain.gradients(output, backend.xp.ones((), np.float64))
    output.backward()
    for leaf in leaves:
        node = leaf._edge[0]
        assert (leaf.grad is None) == (node not in found)
        if leaf.grad is not None:
            np.testing.assert_allclose(
                backend.to_numpy(leaf.grad.data), backend.to_numpy(found[node]), rtol=1e-12, atol=1e-14
            )


@pytest.mark.parametrize("uses", [1, 2, 5])
def test_a_gradient_is_the_sum_over_all_uses(uses):
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype="float64")
    y = sum((x * x for _ in range(uses)), start=x)
    (g,) = plain.gradients(y, backend.xp.ones(2, np.float64)).values()
    np.testing.assert_array_equal(backend.to_numpy(g), 1 + 2 * uses * np.array([1.0, 2.0]))
