"""A layer beside torch's of the same name: outputs, gradients, updates and checkpoints, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_notes as tg

# Where a gradient is 0 in exact arithmetic, as that of a key's bias, rounding leaves ±1e-8 of it, and Adam
# would take steps of a whole learning rate in its direction: in float32 its ε is raised above that.
ATOL = {"float64": (1e-9, 1e-8), "float32": (1e-4, 1e-3)}  # dtype: (tolerance, Adam's ε)


def assert_equal_layers(
    ours: Any, theirs: Any, arrays: dict[str, Any], call: Callable[[Any, dict[str, Any]], Any],
    dtypes: tuple[str, ...] = ("float64", "float32"),
) -> None:  # fmt: skip
    """`call(layer, tensors)` gives a Tensor or a tuple; real `arrays` require gradients."""
    for dtype in dtypes:
        ours, theirs = ours.astype(dtype), theirs.to(_torch_dtype(dtype))
        _same_state(ours, theirs)
        for mode in ("eval", "train"):
            getattr(ours, mode)(), getattr(theirs, mode)()
            _same_gradients(ours, theirs, arrays, call, dtype)
        _same_without_graph(ours, theirs, arrays, call, dtype)
        _same_updates(ours.train(), theirs.train(), arrays, call, dtype)


def _torch_dtype(dtype: str) -> Any:
    import torch

    return getattr(torch, dtype)


def _same_state(ours: Any, theirs: Any) -> None:
    """Checkpoints go both ways, strictly: what comes back is what went."""
    import torch

    state = ours.state_dict()
    theirs.load_state_dict(
        {name: torch.from_numpy(value.copy()) for name, value in state.items()}, strict=True
    )
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()}) == ([], [])


def _tensors(arrays: dict[str, Any], dtype: str, grad: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays as Tensors here and there: booleans stay, real numbers take `dtype`, −∞ is constant."""
    import torch

    here, there = {}, {}
    for name, array in arrays.items():
        if array is None or array.dtype == bool:
            here[name] = None if array is None else tg.Tensor(array)
            there[name] = None if array is None else torch.from_numpy(array.copy())
        else:
            wanted = grad and bool(np.isfinite(array).all())
            here[name] = tg.Tensor(array.astype(dtype), requires_grad=wanted)
            there[name] = torch.from_numpy(array.astype(dtype)).requires_grad_(wanted)
    return here, there


def _outputs(result: Any) -> list[Any]:
    return [y for y in (result if isinstance(result, tuple) else (result,)) if y is not None]


def _loss(outputs: list[Any], make: Callable[[np.ndarray], Any]) -> Any:
    """Σ c y with fixed numbers c: every output takes part."""
    rng = np.random.default_rng(7)
    total = 0
    for y in outputs:
        c = rng.normal(size=tuple(y.shape)).astype(str(y.dtype).removeprefix("torch."))
        total = total + (y * make(c)).sum()
    return total


def _same_gradients(ours: Any, theirs: Any, arrays: Any, call: Any, dtype: str) -> None:
    import torch

    atol, _ = ATOL[dtype]
    here, there = _tensors(arrays, dtype, grad=True)
    ours.zero_grad(), theirs.zero_grad()
    mine, other = _outputs(call(ours, here)), _outputs(call(theirs, there))
    assert len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        assert a.shape == tuple(b.shape) and a.dtype == dtype
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=0, atol=atol)
    _loss(mine, tg.Tensor).backward()
    _loss(other, torch.from_numpy).backward()
    leaves = [(n, here[n], there[n]) for n in here if here[n] is not None and here[n].requires_grad]
    weights = dict(theirs.named_parameters())
    leaves += [(n, p, weights[n]) for n, p in ours.named_parameters()]
    for name, a, b in leaves:
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            np.testing.assert_allclose(
                a.grad.numpy(), b.grad.numpy(), rtol=atol, atol=10 * atol, err_msg=name
            )


def _same_without_graph(ours: Any, theirs: Any, arrays: Any, call: Any, dtype: str) -> None:
    """Evaluation without gradients: torch's modules have a path of their own for it."""
    import torch

    here, there = _tensors(arrays, dtype, grad=False)
    ours.eval(), theirs.eval()
    with tg.no_grad(), torch.no_grad():
        mine, other = _outputs(call(ours, here)), _outputs(call(theirs, there))
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=ATOL[dtype][0])


def _same_updates(ours: Any, theirs: Any, arrays: Any, call: Any, dtype: str) -> None:
    import torch

    atol, eps = ATOL[dtype]
    mine = tg.optim.Adam(list(ours.parameters()), lr=1e-3, eps=eps)
    other = torch.optim.Adam(theirs.parameters(), lr=1e-3, eps=eps)
    here, there = _tensors(arrays, dtype, grad=False)
    for _ in range(5):
        for layer, tensors, make, optimizer in (
            (ours, here, tg.Tensor, mine),
            (theirs, there, torch.from_numpy, other),
        ):
            optimizer.zero_grad()
            _loss(_outputs(call(layer, tensors)), make).backward()
            optimizer.step()
    weights = theirs.state_dict()
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value, weights[name].numpy(), rtol=0, atol=atol, err_msg=name)
