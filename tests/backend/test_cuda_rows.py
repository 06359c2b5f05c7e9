"""Rows by number in CUDA C against the plain definitions."""

import numpy as np
import pytest
from cuda_cases import DTYPES, SEEDS, assert_close, drawn, needs_compiler, on_device
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.backend.kernels import plain

pytestmark = needs_compiler
INTEGERS = st.sampled_from(["int64", "int32", "uint8", "int16"])


@drawn
@given(DTYPES, INTEGERS, SEEDS, st.booleans(), st.sampled_from([None, 0, 3]), st.booleans())
def test_rows_are_plain(gpu, dtype, integer, seed, turned, padding_idx, constant):
    random = np.random.default_rng(seed)
    x = random.standard_normal((5, random.integers(1, 4))).astype(dtype)
    ids = random.integers(0, 5, random.integers(0, 6, random.integers(1, 4))).astype(integer)
    row = random.standard_normal(x.shape[1]).astype(dtype) if constant else None
    y = gpu.take_rows(
        on_device(gpu, x, turned), on_device(gpu, ids, turned), padding_idx,
        None if row is None else on_device(gpu, row),
    )  # fmt: skip
    expected = plain.take_rows(np, x, ids, padding_idx, row)
    assert y.dtype == dtype and y.shape == expected.shape
    np.testing.assert_array_equal(y.get(), expected)
    g = random.standard_normal((*ids.shape, x.shape[1])).astype(dtype)
    out = gpu.add_rows(on_device(gpu, g, turned), on_device(gpu, ids, turned), 5, padding_idx)
    expected = plain.add_rows(np, g.astype(np.float64), ids, 5, padding_idx)
    assert_close(out, expected.astype(dtype), 16)


@pytest.mark.parametrize("ranked", [0, 1 << 15])
def test_repeats_are_added_in_their_order(gpu, monkeypatch, ranked):
    monkeypatch.setattr(gpu.rows, "RANKED", ranked)
    random = np.random.default_rng(0)
    ids, g = random.integers(0, 7, 900), random.standard_normal((900, 3)).astype(np.float32)
    out = gpu.add_rows(gpu.from_host(g), gpu.from_host(ids), 9, None)
    np.testing.assert_array_equal(out.get(), plain.add_rows(np, g, ids, 9, None))


def test_ids_out_of_range_are_nan_and_get_nothing(gpu):
    x, ids = gpu.ones((3, 2), "float32"), gpu.from_host(np.array([0, -1, 3, 2]))
    y = gpu.take_rows(x, ids, None, None).get()
    assert np.isnan(y[1:3]).all() and (y[[0, 3]] == 1).all()
    assert gpu.add_rows(gpu.ones((4, 2)), ids, 3, None).get().tolist() == [[1, 1], [0, 0], [1, 1]]


def test_what_is_no_real_number_is_left_to_the_plain_definitions(gpu):
    g, ids = np.arange(8, dtype=np.int32).reshape(4, 2), np.array([1, 0, 1, 1])
    out = gpu.add_rows(gpu.from_host(g), gpu.from_host(ids), 2, None)
    np.testing.assert_array_equal(out.get(), plain.add_rows(np, g, ids, 2, None))
    x, row = np.ones((2, 2), np.float32), np.full(2, 0.1)
    y = gpu.take_rows(gpu.from_host(x), gpu.from_host(ids), 0, gpu.from_host(row))
    np.testing.assert_array_equal(y.get(), plain.take_rows(np, x, ids, 0, row))


def test_the_number_of_launches(gpu):
    standin = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not hasattr(standin, "_standin"):
        pytest.skip("launches are counted by the stand-in")
    x, ids = gpu.ones((3, 2), "float32"), gpu.from_host(np.array([0, 1, 2]))
    counted = []
    for call in (lambda: gpu.take_rows(x, ids, None, None), lambda: gpu.add_rows(x, ids, 3, None)):
        standin._standin.reset()
        call()
        counted.append((standin._standin.launches.total(), standin._standin.syncs.total()))
    assert counted[0] == (1, 0)
    assert counted[1][0] <= 3 and counted[1][1] == 0  # zeros, ranks, sums
