"""Every row of the table: its value, its derivatives, its proof, its dtypes, its twin in torch."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tests.op_table import CASES, as_tuple, draw, functions, gradients, layouts, tensors, weights
from tinygrad_notes.autograd.gradcheck import gradcheck

every_row = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
HALF_TOLERANCE = 2e-2  # float16 carries 11 bits; sums of a few terms of size 1


def test_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
def test_every_operation_has_a_row(function):
    assert any(function in case.operations for case in CASES), f"no row exercises {function.name}"


@every_row
def test_the_row_runs_the_operations_it_claims(case, monkeypatch):
    ran = set()
    for function in case.operations:
        original = function.apply
        monkeypatch.setattr(
            function, "apply", lambda *a, f=function, o=original, **k: (ran.add(f), o(*a, **k))[1]
        )
    case.run(*tensors(case, draw(case)))
    assert ran == set(case.operations)


@every_row
def test_value_equals_the_plain_definition(case):
    arrays = draw(case)
    outputs = as_tuple(case.run(*tensors(case, arrays)))
    expected = as_tuple(case.plain(*arrays))
    assert len(outputs) == len(expected)
    for y, e in zip(outputs, expected, strict=True):
        assert y.shape == np.shape(e)
        assert y.dtype == np.float64
        np.testing.assert_allclose(y.numpy(), e, rtol=1e-12, atol=1e-14)


@every_row
def test_derivatives_of_order_1_and_2(case):
    assert gradcheck(case.run, tensors(case, draw(case)), order=2)


@every_row
def test_tape_gives_the_raw_gradient(case):
    arrays = draw(case)
    raw = gradients(case, tensors(case, arrays))
    tape = gradients(case, tensors(case, arrays), create_graph=True)
    for r, t in zip(raw, tape, strict=True):
        np.testing.assert_allclose(t, r, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("case", [c for c in CASES if c.symbolic], ids=lambda c: c.name)
def test_backward_is_the_symbolic_derivative_of_forward(case):
    from tinygrad_notes.verify import proof

    assert proof.prove(case)


@pytest.mark.parametrize("case", [c for c in CASES if c.name != "astype"], ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_in_is_dtype_out(case, dtype):
    arrays = draw(case, dtype)
    inputs = tensors(case, arrays)
    outputs = as_tuple(case.run(*inputs))
    assert {y.dtype for y in outputs} == {np.dtype(dtype)}
    assert {g.dtype for g in gradients(case, inputs)} <= {np.dtype(dtype)}
    tolerance = {2: HALF_TOLERANCE, 4: 1e-5, 8: 1e-12}[np.dtype(dtype).itemsize]
    for y, e in zip(outputs, as_tuple(case.plain(*map(np.float64, arrays))), strict=True):
        np.testing.assert_allclose(y.numpy(), e, rtol=tolerance, atol=tolerance)


@every_row
def test_memory_layout_does_not_matter(case):
    arrays = draw(case)
    expected = gradients(case, tensors(case, arrays))
    values = [y.numpy() for y in as_tuple(case.run(*tensors(case, arrays)))]
    for layout in ("transposed", "every other", "backwards"):
        inputs = [layouts(x)[layout] for x in arrays]
        for x, wanted in zip(inputs, case.differentiable, strict=True):
            x.requires_grad = wanted
        for y, e in zip(as_tuple(case.run(*inputs)), values, strict=True):
            np.testing.assert_allclose(y.numpy(), e, rtol=1e-13, atol=1e-15, err_msg=layout)
        for g, e in zip(gradients(case, inputs), expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-13, atol=1e-15, err_msg=layout)


@every_row
def test_inputs_are_not_changed(case):
    arrays = draw(case)
    inputs = tensors(case, arrays)
    gradients(case, inputs, create_graph=True)
    gradients(case, inputs)
    for x, a in zip(inputs, arrays, strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), a)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("case", [c for c in CASES if c.torch], ids=lambda c: c.name)
def test_torch_agrees(case):
    import torch

    arrays = draw(case)
    inputs = tensors(case, arrays)
    theirs = [torch.tensor(x, requires_grad=d)
              for x, d in zip(arrays, case.differentiable, strict=True)]  # fmt: skip
    outputs, expected = as_tuple(case.run(*inputs)), as_tuple(case.torch(*theirs))
    for y, e in zip(outputs, expected, strict=True):
        assert y.shape == tuple(e.shape)
        np.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=1e-12, atol=1e-14)
    total = sum((e * torch.tensor(w)).sum() for e, w in zip(expected, weights(expected), strict=True))
    wanted = [t for t in theirs if t.requires_grad]
    for g, e in zip(gradients(case, inputs), torch.autograd.grad(total, wanted), strict=True):
        np.testing.assert_allclose(g, e.numpy(), rtol=1e-10, atol=1e-12)
