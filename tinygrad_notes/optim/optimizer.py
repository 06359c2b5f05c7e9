"""What every optimizer does: groups of parameters, state per parameter, saving and restoring it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..autograd.guard import touched

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Optimizer:
    """Base of the optimizers: a subclass names its `kernel`; `_call` gives what that needs of a parameter.

    Args:
        params: Tensors that require grad, or dicts with a key "params" and options of their own.
        defaults: the options, e.g. lr, for groups that do not give them.

    Raises:
        ValueError: no parameters, or one given twice.
    """

    kernel: ClassVar[str]
    states: ClassVar[tuple[str, ...]]  # the names of what it keeps for a parameter

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        listed = list(params)
        if not listed:
            raise ValueError(f"{type(self).__name__}: no parameters to optimize")
        groups = listed if isinstance(listed[0], Mapping) else [{"params": listed}]
        self.param_groups: list[dict[str, Any]] = []
        for group in groups:
            if not isinstance(group, Mapping) or "params" not in group:
                raise TypeError(f"{type(self).__name__}: a group must be a dict with 'params', got {group!r}")
            unknown = set(group) - {"params", *defaults}
            if unknown:
                raise ValueError(f"{type(self).__name__}: unknown options {sorted(unknown)}")
            chosen = group["params"]
            members = [chosen] if isinstance(chosen, Tensor) else list(chosen)
            self.param_groups.append({**defaults, **group, "params": members})
        self._parameters = [p for group in self.param_groups for p in group["params"]]
        for p in self._parameters:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(f"{type(self).__name__}: parameters must be leaf Tensors, got {p!r}")
        if len({id(p) for p in self._parameters}) != len(self._parameters):
            raise ValueError(f"{type(self).__name__}: a parameter is given twice")
        for group in self.param_groups:
            self._check(group)
        self.state: dict[int, dict[str, Any]] = {}

    def _check(self, group: Mapping[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay", "momentum"):
            value = group.get(name, 0)
            if not (isinstance(value, int | float | np.number) and value >= 0 and np.isfinite(value)):
                raise ValueError(f"{type(self).__name__}: {name} must be a finite number ≥ 0, got {value}")

    def _call(self, p: Any, g: Any, state: dict[str, Any], group: Mapping[str, Any]) -> Call:
        """(arrays, numbers) for the kernel, of a parameter array and its gradient; begins the state."""
        raise TypeError(f"{type(self).__name__} defines no _call")

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        calls: list[Call] = []
        index = 0
        for group in self.param_groups:
            for p in group["params"]:
                gradient = p.grad
                if gradient is not None:
                    state = self.state.setdefault(index, {})
                    calls.append(self._call(p._data, gradient._data, state, group))
                index += 1
        getattr(backend.xp, self.kernel)(calls)
        for arrays, _ in calls:
            touched(arrays[0])

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self._parameters:
            p.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Options of the groups, and the state of every parameter by its number; arrays are copies."""
        numbers = itertools.count()
        groups = [
            {**group, "params": [next(numbers) for _ in group["params"]]} for group in self.param_groups
        ]
        state = {
            str(i): {k: np.array(backend.to_numpy(v)) if backend.is_array(v) else v for k, v in s.items()}
            for i, s in self.state.items()
        }
        return {"param_groups": groups, "state": state}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; later steps continue bit for bit.

        Raises ValueError if it was made for other parameters.
        """
        groups, state = state_dict["param_groups"], state_dict["state"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                f"{type(self).__name__}: {len(groups)} groups saved, {len(self.param_groups)} here"
            )
        for group, saved_group in zip(self.param_groups, groups, strict=True):
            count = len(saved_group.get("params", group["params"]))
            if count != len(group["params"]):
                raise ValueError(
                    f"{type(self).__name__}: {count} parameters of a group saved, {len(group['params'])} here"
                )
        restored: dict[int, dict[str, Any]] = {}
        for key, saved in state.items():
            i = int(key)
            if i >= len(self._parameters):
                raise ValueError(f"{type(self).__name__}: state for parameter {i}, which is not here")
            unknown = set(saved) - set(self.states)
            if unknown:
                raise ValueError(f"{type(self).__name__}: {sorted(unknown)} saved, by another optimizer")
            restored[i] = {}
            for name, value in saved.items():
                if backend.is_array(value) or isinstance(value, Tensor):
                    if tuple(value.shape) != self._parameters[i].shape:
                        raise ValueError(
                            f"{type(self).__name__}: {name} of parameter {i} is {tuple(value.shape)}, "
                            f"the parameter {self._parameters[i].shape}"
                        )
                    raw = value._data if isinstance(value, Tensor) else value
                    value = backend.asarray(raw, self._parameters[i].dtype, copy=True)
                restored[i][name] = value
        options = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in group.items() if k != "params"}
            for group in groups
        ]
        for group, saved_options in zip(self.param_groups, options, strict=True):
            self._check(group | saved_options)
        for group, saved_options in zip(self.param_groups, options, strict=True):
            group.update(saved_options)
        self.state = restored
