"""The table of operations (tinygrad_notes/verify/cases), and what only tests ask of it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes import ops
from tinygrad_notes.autograd import Function
from tinygrad_notes.verify.cases import CASES, Case

__all__ = [
    "CASES", "Case", "as_tuple", "draw", "functions", "gradients", "layouts", "tensors", "value_and_gradient",
    "weights",
]  # fmt: skip


def functions() -> list[type[Function]]:
    """Every operation of the package, by name."""
    found = {
        value
        for file in ops.FILES
        for value in vars(file).values()
        if inspect.isclass(value) and issubclass(value, Function) and value is not Function
    }
    return sorted(found, key=lambda f: f.name)


def draw(case: Case, dtype: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
    """The row's inputs as arrays of `dtype`."""
    return [np.array(x, dtype) for x in case.inputs(np.random.default_rng(seed))]


def tensors(case: Case, arrays: list[np.ndarray]) -> list[tg.Tensor]:
    """Tensors of `arrays` that ask for gradients where the row is differentiable."""
    return [tg.Tensor(x, requires_grad=d) for x, d in zip(arrays, case.differentiable, strict=True)]


def as_tuple(y: Any) -> tuple[Any, ...]:
    """The outputs, one or several."""
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def weights(outputs: tuple[Any, ...], seed: int = 1) -> list[np.ndarray]:
    """A random gradient for every output, of its shape, float64."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(tuple(y.shape))) for y in outputs]


def gradients(case: Case, inputs: list[tg.Tensor], create_graph: bool = False) -> list[np.ndarray]:
    """d(Σ weights · outputs)/d(inputs), for the differentiable ones."""
    outputs = as_tuple(case.run(*inputs))
    seeds = [tg.Tensor(w, dtype=y.dtype) for w, y in zip(weights(outputs), outputs, strict=True)]
    wanted = [x for x in inputs if x.requires_grad]
    return [g.detach().numpy() for g in tg.grad(outputs, wanted, seeds, create_graph=create_graph)]


def layouts(x: np.ndarray) -> dict[str, tg.Tensor]:
    """Tensors with the values of x whose memory is not in C order."""
    spread = np.full([2 * n for n in x.shape], 7.0, x.dtype)
    step = (slice(None, None, 2),) * x.ndim
    back = (slice(None, None, -1),) * x.ndim
    spread[step] = x
    return {
        "transposed": tg.Tensor(x.T).T,
        "every other": tg.Tensor(spread)[step],
        "backwards": tg.Tensor(x[back])[back],
    }


def value_and_gradient(run: Any, x: Any, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """run(x), and the gradient of the sum of it."""
    x = tg.Tensor(np.asarray(x, dtype), requires_grad=True)
    y = run(x)
    y.backward(np.ones(y.shape))
    return y.detach().numpy(), x.grad.numpy()
