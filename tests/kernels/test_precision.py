"""The settings of precision: which algorithm computes, and what the environment says."""

import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.backend.kernels import convolution, winograd

ONE = (1, 1)


@pytest.fixture
def highest():
    tg.set_float32_conv_precision("highest")
    yield
    tg.set_float32_conv_precision("high")


def numbers(dtype=np.float32):
    random = np.random.default_rng(0)
    return [
        random.standard_normal(s).astype(dtype) for s in ((4, 32, 24, 24), (32, 32, 3, 3), (4, 32, 24, 24))
    ]


def trio(dtype=np.float32, algorithm=None):
    (x, w, g), rest = numbers(dtype), (ONE, ONE, ONE, 1)
    return [
        convolution.conv2d(x, w, None, *rest, algorithm),
        convolution.conv2d_input_grad(g, w, x.shape, *rest, algorithm),
        convolution.conv2d_weight_grad(g, x, w.shape, *rest, algorithm),
    ]


def test_high_takes_winograd():
    assert tg.get_float32_conv_precision() == "high"
    for chosen, named in zip(trio(), trio(algorithm="winograd"), strict=True):
        np.testing.assert_array_equal(chosen, named)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_highest_never_does(highest, monkeypatch, dtype):
    assert tg.get_float32_conv_precision() == "highest"
    direct = trio(dtype, "im2col")
    monkeypatch.setattr(winograd, "_correlate", None)
    monkeypatch.setattr(winograd, "_transform_both", None)
    for chosen, named in zip(trio(dtype), direct, strict=True):
        np.testing.assert_array_equal(chosen, named)


def test_float64_is_the_same_in_both():
    once = trio(np.float64)
    tg.set_float32_conv_precision("highest")
    try:
        again = trio(np.float64)
    finally:
        tg.set_float32_conv_precision("high")
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("wrong", ["medium", "", None, 1])
def test_another_word_is_refused(wrong):
    with pytest.raises(ValueError, match="must be 'high' or 'highest'; got"):
        tg.set_float32_conv_precision(wrong)
    assert tg.get_float32_conv_precision() == "high"
    with pytest.raises(
        ValueError, match=r"MATMUL_PRECISION.: precision must be 'highest', 'high', 'half'; got"
    ):
        tg.set_float32_matmul_precision(wrong)
    assert tg.get_float32_matmul_precision() == "highest"


def test_products_on_numpy_are_the_same_in_all_three():
    a = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    try:
        with tg.use_backend("numpy"):
            x, found = tg.Tensor(a), []
            for word in ("highest", "high", "half"):
                tg.set_float32_matmul_precision(word)
                assert tg.get_float32_matmul_precision() == word
                found.append((x @ x).numpy())
    finally:
        tg.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@pytest.mark.parametrize(
    ("convolutions", "products", "expected"),
    [("highest", "half", "highest half"), ("high", "high", "high high"), ("", "", "high highest")],
)
def test_the_environment(convolutions, products, expected):
    answer = _start(FLOAT32_CONV_PRECISION=convolutions, FLOAT32_MATMUL_PRECISION=products)
    assert (answer.returncode, answer.stdout.strip()) == (0, expected)


@pytest.mark.parametrize("name", ["FLOAT32_CONV_PRECISION", "FLOAT32_MATMUL_PRECISION"])
def test_a_wrong_word_in_the_environment_ends_the_program_with_a_sentence(name):
    answer = _start(**{name: "low"})
    assert answer.returncode == 2 and not answer.stdout
    assert answer.stderr.strip().count("\n") == 0 and name in answer.stderr


def _start(**variables):
    code = "import tinygrad_notes as t; "
    code += "print(t.get_float32_conv_precision(), t.get_float32_matmul_precision())"
    environment = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
