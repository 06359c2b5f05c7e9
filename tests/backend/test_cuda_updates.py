"""Optimizer updates in CUDA C, all parameters in one launch, against the definition on whole arrays."""

import functools

import numpy as np
import pytest
from cuda_cases import needs_compiler, on_device

from tinygrad_notes.backend.kernels import blas, update

pytestmark = needs_compiler

SGD = dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.1, nesterov=False, first=False)
ADAM = dict(lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, l2=0.1, decay=0.05, step=3)
CASES = [
    ("sgd", {}), ("sgd", {"first": True}), ("sgd", {"dampening": 0, "nesterov": True}),
    ("sgd", {"momentum": 0}), ("sgd", {"weight_decay": 0}), ("sgd", {"momentum": 0, "weight_decay": 0}),
    ("adam", {}), ("adam", {"l2": 0}), ("adam", {"decay": 0}), ("adam", {"l2": 0, "decay": 0, "eps": 0.1}),
    ("adam", {"step": 1}), ("adam", {"step": 1000}),
]  # fmt: skip
SHAPES = [(7, 9), (), (0,), (1024,), (1025,), (3,), (20, 21, 11)]


def arrays_of(name, shape, dtype, random, amsgrad=True):
    """(p, g, velocity) or (p, g, m, v, v_max)."""
    if name == "sgd":
        return [np.asarray(a, dtype) for a in random.standard_normal((3, *shape))]
    arrays = [*random.standard_normal((3, *shape)), *random.random((2, *shape))]
    return [np.asarray(a, dtype) for a in arrays[: 5 if amsgrad else 4]] + [None] * (not amsgrad)


def expected(name, arrays, numbers):
    """What the definition makes of the arrays, in float64."""
    wide = [None if a is None else np.array(a, np.float64) for a in arrays]
    block, axpby = getattr(update, f"{name}_block"), functools.partial(blas.plain_axpby, np)
    block(np, axpby, np.empty_like(wide[0]), *wide, **numbers)
    return wide


def check(gpu, name, calls, on=None, given=None):
    """One update of the calls [(arrays, numbers)] against the definition; in place."""
    on = on or (lambda a: on_device(gpu, a))
    there = [([None if a is None else on(a) for a in arrays], numbers) for arrays, numbers in calls]
    more = {} if given is None else {"given": given}
    getattr(gpu, f"{name}_update")([(arrays, {**numbers, **more}) for arrays, numbers in there])
    for (ours, numbers), (arrays, _) in zip(there, calls, strict=True):
        for i, (mine, right) in enumerate(zip(ours, expected(name, arrays, numbers), strict=True)):
            if mine is not None and not (name == "sgd" and i == 2 and not numbers["momentum"]):
                eps = float(np.finfo(mine.dtype).eps)
                assert mine.dtype == arrays[i].dtype and mine.shape == arrays[i].shape
                np.testing.assert_allclose(mine.get().astype(float), right, rtol=8 * eps, atol=8 * eps)
    return there


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_updates_are_the_definition(gpu, name, options, dtype):
    random, numbers = np.random.default_rng(0), {**(SGD if name == "sgd" else ADAM), **options}
    check(gpu, name, [(arrays_of(name, shape, dtype, random), numbers) for shape in SHAPES])


def test_without_amsgrad_and_without_velocity(gpu):
    random = np.random.default_rng(0)
    check(gpu, "adam", [(arrays_of("adam", (5, 3), "float32", random, amsgrad=False), ADAM)])
    p, g, _ = arrays_of("sgd", (5, 3), "float32", random)
    check(gpu, "sgd", [([p, g, None], {**SGD, "momentum": 0})])


def test_options_dtypes_and_memory_orders_of_their_own(gpu):
    random = np.random.default_rng(0)
    calls = [(arrays_of("adam", (4, 5), dtype, random), {**ADAM, "lr": lr})
             for lr in (0.1, 0.2) for dtype in ("float32", "float64")]  # fmt: skip
    check(gpu, "adam", calls, on=lambda a: on_device(gpu, a, turned=True))
    p, g, m, v, largest = arrays_of("adam", (6,), "float32", random)
    check(gpu, "adam", [([p.astype("float64"), g.astype("float64"), m, v, largest], ADAM)])


def test_more_parameters_than_one_launch_takes(gpu):
    random, numbers = np.random.default_rng(0), {**SGD}
    calls = [(arrays_of("sgd", (1 + 37 * k % 2100,), "float32", random), numbers) for k in range(150)]
    there = check(gpu, "sgd", calls)
    standin = pytest.importorskip("cupy", reason="CuPy is not installed")
    if hasattr(standin, "_standin"):
        standin._standin.reset()
        gpu.sgd_update(there)
        assert standin._standin.launches.total() == 3


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_numbers_can_lie_on_the_device(gpu, name):
    """The values of the host are not read then: they may be those of another step."""
    random, numbers = np.random.default_rng(0), SGD if name == "sgd" else ADAM
    ordered = getattr(gpu.updates, f"{name}_numbers")
    given = gpu.from_host(np.array(ordered(**numbers)))
    calls = [(arrays_of(name, shape, "float32", random), numbers) for shape in SHAPES]
    check(gpu, name, calls, given=given)
    stale = {**numbers, "lr": 99.0}
    arrays = calls[0][0]
    there = [on_device(gpu, a) for a in arrays]
    getattr(gpu, f"{name}_update")([(there, {**stale, "given": given})])
    np.testing.assert_allclose(there[0].get(), expected(name, arrays, numbers)[0], rtol=1e-5, atol=1e-6)


def test_nan_stays_in_the_largest(gpu):
    random = np.random.default_rng(0)
    arrays = arrays_of("adam", (4,), "float64", random)
    arrays[3][0] = arrays[4][1] = np.nan
    check(gpu, "adam", [(arrays, ADAM)])


def test_no_parameters(gpu):
    gpu.sgd_update([])
    gpu.adam_update([(arrays_of("adam", (0,), "float32", np.random.default_rng(0)), ADAM)])


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_recorded_update_is_done_at_every_replay(gpu, name):
    """With numbers of its own, which the host writes to the device in between."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    random, numbers = np.random.default_rng(0), SGD if name == "sgd" else ADAM
    arrays, ordered = arrays_of(name, (70,), "float64", random), getattr(gpu.updates, f"{name}_numbers")
    there, given = [gpu.from_host(a) for a in arrays], gpu.from_host(np.array(ordered(**numbers)))
    update_all = getattr(gpu, f"{name}_update")
    update_all([([gpu.from_host(a) for a in arrays], numbers)])  # compiled before
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        update_all([(there, {**numbers, "given": given})])
        graph = stream.end_capture()
    np.testing.assert_array_equal(there[0].get(), arrays[0])
    for lr in (0.1, 0.3):
        given.set(np.array(ordered(**{**numbers, "lr": lr})))
        graph.launch(stream)
        stream.synchronize()
        arrays = expected(name, arrays, {**numbers, "lr": lr})
        np.testing.assert_allclose(there[0].get(), arrays[0], rtol=1e-12, atol=1e-12)
