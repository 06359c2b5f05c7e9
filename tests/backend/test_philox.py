"""Uniform numbers from a key: NumPy's Philox, computed in pieces on the CPU and by a kernel on a GPU."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.backend import cpu
from tinygrad_notes.backend.kernels import threads
from tinygrad_notes.nn import functional as F

KEY = np.array([0x0123456789ABCDEF, 2**64 - 1], np.uint64)
SIZES = [0, 1, 7, 8, 9, 1000, 2**16 + 3]


def numpys(key, shape):
    return np.random.Generator(np.random.Philox(key=key)).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [*SIZES, 2**18, 2**19 + 13])
def test_the_cpu_gives_numpys_own_numbers(size):
    found = cpu.philox_uniform(KEY, (size,))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, numpys(KEY, size))


def test_threads_do_not_change_them(monkeypatch):
    monkeypatch.setattr(threads, "shares", lambda count: [(0, count // 3), (count // 3, count)])
    np.testing.assert_array_equal(cpu.philox_uniform(KEY, (2**18 + 5,)), numpys(KEY, 2**18 + 5))


@pytest.mark.parametrize("size", SIZES)
def test_a_gpu_gives_the_same_bits(gpu, size):
    found = gpu.philox_uniform(backend.asarray(KEY), (size,))
    assert isinstance(found, gpu.ndarray)
    np.testing.assert_array_equal(backend.to_numpy(found), cpu.philox_uniform(KEY, (size,)))


@pytest.mark.parametrize("shape", [(), (3, 0, 2), (5, 3), (2, 3, 4)])
def test_shapes(gpu, shape):
    for xp in (cpu, gpu):
        key = KEY if xp is cpu else backend.asarray(KEY)
        found = backend.to_numpy(xp.philox_uniform(key, shape))
        assert found.shape == shape
        np.testing.assert_array_equal(found.ravel(), numpys(KEY, found.size))


def test_the_first_values_stay_what_they_are():
    key = np.array([1, 2], np.uint64)
    found = cpu.philox_uniform(key, (5,))
    np.testing.assert_array_equal(found * 2**24, [11883371, 5189443, 2203635, 5988731, 7311989])


def test_two_keys_are_independent():
    a, b = (cpu.philox_uniform(np.array([k, 0], np.uint64), (100_000,)).astype(np.float64) for k in (5, 6))
    assert abs(a.mean() - 0.5) < 0.004 and abs(b.mean() - 0.5) < 0.004  # deviation of a mean: 0.0009
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.013  # deviation: 0.0032
    assert (a != b).mean() > 0.999


def test_a_mask_moves_the_generator_by_its_key_alone():
    tg.manual_seed(3)
    F.dropout(tg.ones((4, 5)))
    after = backend.rng().bit_generator.random_raw()
    tg.manual_seed(3)
    backend.rng().bit_generator.random_raw(2)
    assert backend.rng().bit_generator.random_raw() == after


def test_one_seed_gives_one_mask_on_every_backend(gpu):
    masks = []
    for name in ("numpy", "cupy"):
        with backend.use_backend(name):
            tg.manual_seed(11)
            masks.append(F.dropout(tg.ones((50, 7)), 0.3).numpy())
    np.testing.assert_array_equal(*masks)
    assert set(np.unique(masks[0])) == {0.0, np.float32(1 / 0.7)}


@pytest.mark.parametrize(("p", "values"), [(0.0, {1.0}), (1.0, {0.0}), (0.25, {0.0, 4 / 3})])
def test_what_a_mask_holds(p, values):
    found = set(np.unique(F.dropout(tg.ones((1000,), dtype="float64"), p).numpy()))
    assert found == values


def test_a_scale_beyond_float16_drops_all_the_same():
    found = F.dropout(tg.ones((1000,), dtype="float16"), 1 - 2**-20).numpy()
    assert not np.isnan(found).any()
