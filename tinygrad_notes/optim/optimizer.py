"""What every optimizer does: groups of parameters, state per parameter, saving and restoring it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..autograd.anomaly import AnomalyError
from ..autograd.guard import touched
from ..autograd.mode import anomaly
from ..backend.capture import running
from .captured import captured_calls
from .saved import SCHEDULED, flag, hyperparameter, restored

Arrays = tuple[Any, ...]
Call = tuple[Arrays, dict[str, Any]]


class Optimizer:
    """Base of the optimizers: a subclass names its `kernel`; `_arrays` and `_numbers` give what it needs.

    Args:
        params: Tensors that require grad, pairs (name, Tensor) as `named_parameters` gives them, or dicts
            with a key "params" and options of their own.
        defaults: the options, e.g. lr, for groups that do not give them.

    Raises:
        ValueError: no parameters, one given twice, an unknown option or one out of range.
        TypeError: something else than a leaf Tensor, or an option of a wrong type.
    """

    kernel: ClassVar[str]
    states: ClassVar[tuple[str, ...]]  # the names of what it may keep for a parameter
    older: ClassVar[dict[str, str]] = {}  # names that earlier versions saved → names now
    squares: ClassVar[bool] = False  # whether the update squares the gradient

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        self._parameters: list[Any] = []
        listed: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if not listed:
            raise ValueError(f"{type(self).__name__}: no parameters to optimize")
        for group in listed if isinstance(listed[0], Mapping) else [{"params": listed}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Train further parameters from now on: a dict with "params" and, where they differ, options."""
        name = type(self).__name__
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(f"{name}: a group must be a dict with 'params', got {param_group!r}")
        unknown = set(param_group) - {"params", "param_names", *self.defaults, *SCHEDULED}
        if unknown:
            raise ValueError(f"{name}: unknown options {sorted(unknown)}; known are {sorted(self.defaults)}")
        chosen = param_group["params"]
        if isinstance(chosen, set | frozenset):
            raise TypeError(f"{name}: a set of parameters has no order to save their state in; use a list")
        members = [chosen] if isinstance(chosen, Tensor) else list(chosen)
        group = {**self.defaults, **param_group}
        if members and all(isinstance(p, tuple) and len(p) == 2 for p in members):
            group["param_names"], members = [n for n, _ in members], [p for _, p in members]
        for p in members:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(f"{name}: parameters must be leaf Tensors, got {p!r}")
        together = [*self._parameters, *members]
        if len({id(p) for p in together}) != len(together):
            raise ValueError(f"{name}: a parameter is given twice")
        self.param_groups.append({**self._checked(group), "params": members})
        self._parameters = together

    def _checked(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a group as Python numbers; raises if one has a wrong type or is out of range."""
        name = type(self).__name__
        checked = dict(group)
        for option in group.keys() & {"lr", "eps", "weight_decay", "momentum", "dampening", *SCHEDULED}:
            checked[option] = hyperparameter(f"{name}: {option}", group[option], signed=option == "dampening")
        for option in group.keys() & {"nesterov", "amsgrad", "maximize", "decoupled_weight_decay"}:
            checked[option] = flag(f"{name}: {option}", group[option])
        return checked

    def _numbers(self, state: dict[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        """The numbers for the kernel in this step, which is counted."""
        raise TypeError(f"{type(self).__name__} defines no _numbers")

    def _arrays(self, p: Any, g: Any, state: dict[str, Any], group: Mapping[str, Any]) -> Arrays:
        """The arrays for the kernel, of a parameter array and its gradient; begins their state."""
        raise TypeError(f"{type(self).__name__} defines no _arrays")

    def _missing(self, state: Mapping[str, Any], group: Mapping[str, Any]) -> set[str]:
        """What a saved state of one parameter lacks."""
        return set()

    def step(self) -> None:
        """Update every parameter that has a gradient, in place.

        Under `detect_anomaly` a gradient that is not finite, or too large to be squared where the update does
        that, raises AnomalyError before anything is changed.
        """
        if anomaly.get():
            self._refuse_anomalies()
        before = {i: dict(state) for i, state in self.state.items()} if running else {}
        calls: list[Call] = []
        members: list[tuple[int, Mapping[str, Any]]] = []
        index = 0
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state.setdefault(index, {})
                    g = -p.grad._data if group["maximize"] else p.grad._data
                    numbers = self._numbers(state, group)
                    calls.append((self._arrays(p._data, g, state, group), numbers))
                    members.append((index, group))
                index += 1
        if running:
            calls = captured_calls(self, running[-1], before, calls, members)
        getattr(backend.xp, self.kernel)(calls)
        for arrays, _ in calls:
            touched(arrays[0])

    def _refuse_anomalies(self) -> None:
        xp = backend.xp
        for k, group in enumerate(self.param_groups):
            for i, p in enumerate(group["params"]):
                if p.grad is None or not p.grad.size:
                    continue
                g = p.grad._data
                finite = bool(xp.isfinite(g).all())
                largest = float(xp.max(xp.abs(g))) if finite and self.squares else 0.0
                if finite and largest <= float(np.finfo(g.dtype).max) ** 0.5:
                    continue
                names = group.get("param_names")
                title = repr(names[i]) if names else f"{i} of group {k}"
                what = f"has |g| = {largest:.3g}, whose square overflows" if finite else "is NaN or infinite"
                raise AnomalyError(
                    f"detect_anomaly: {type(self).__name__}: the gradient of parameter {title}, {p.shape} "
                    f"{g.dtype}, {what}; nothing was changed"
                )

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self._parameters:
            p.zero_grad()

    def state_dict(self, convert: Callable[[np.ndarray], Any] = np.array) -> dict[str, Any]:
        """Options of the groups, and the state of every parameter by its number, with torch's keys.

        Arrays are copies on the host. `convert` makes what goes in of each; ``torch.from_numpy`` gives what
        torch's optimizer of the same name loads.
        """
        numbers = itertools.count()
        groups = [
            {**group, "params": [next(numbers) for _ in group["params"]]} for group in self.param_groups
        ]
        state = {
            i: {k: convert(np.array(backend.to_numpy(v))) if backend.is_array(v) else v for k, v in s.items()}
            for i, s in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, here or in torch; later steps continue bit for bit.

        Raises ValueError or TypeError, with nothing changed, if anything does not fit these parameters.
        """
        groups, state = restored(self, state_dict)
        for group, options in zip(self.param_groups, groups, strict=True):
            group.update(options)
        self.state = state
