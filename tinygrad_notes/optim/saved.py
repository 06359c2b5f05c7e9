"""Reads a saved state of an optimizer, of this package or of torch, and checks all of it."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..autograd import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer

# What schedules write into a group, as torch's do.
SCHEDULED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")

# Options of torch's groups that say how a step is computed, not what: they are passed over.
PASSED_OVER = {"foreach", "capturable", "differentiable", "fused"}

# Options that earlier versions, here or in torch, did not have: where they are missing ours stay.
LATER = {"maximize", "amsgrad", "nesterov", "decoupled_weight_decay"}


def hyperparameter(title: str, value: Any, signed: bool = False) -> float:
    """`value` as a finite Python number, at least 0 unless `signed`; a 0-d array or tensor is one too."""
    if isinstance(value, bool) or not (isinstance(value, int | float) or hasattr(value, "dtype")):
        raise TypeError(f"{title} must be a number, got {value!r}")
    number = value if type(value) in (int, float) else host(title, value)
    if isinstance(number, np.ndarray):
        if number.size != 1:
            raise TypeError(f"{title} must be one number, got an array of shape {number.shape}")
        number = number.item()
    if not math.isfinite(number) or (number < 0 and not signed):
        raise ValueError(f"{title} must be a finite number{'' if signed else ' ≥ 0'}, got {value}")
    return number  # type: ignore[no-any-return]


def flag(title: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{title} must be True or False, got {value!r}")
    return bool(value)


def host(title: str, value: Any) -> np.ndarray:
    """A NumPy array of real numbers with the values of `value`: an array, a Tensor, or torch's tensor."""
    if isinstance(value, Tensor):
        value = value._data
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{title} is a masked array, which would lose its mask; use .filled(value) first")
    if not backend.is_array(value) and hasattr(value, "detach"):  # torch: off its graph and its device
        value = value.detach()
        value = value.cpu() if hasattr(value, "cpu") else value
        if str(value.dtype).endswith("bfloat16"):  # NumPy has none; float32 holds it exactly
            value = value.float()
    try:
        array = np.asarray(backend.to_numpy(value))
    except Exception as error:  # whatever an object's __array__ raises
        raise TypeError(f"{title} is a {type(value).__name__} that gives no array: {error}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{title} must hold real numbers, got {array.dtype}")
    return array


def restored(optimizer: Optimizer, state_dict: Any) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """The options of every group and the state of every parameter, by its place, that `state_dict` sets."""
    name = type(optimizer).__name__
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(f"{name}: a saved state must be a dict with 'state' and 'param_groups'")
    states = _states(optimizer, state_dict["state"])
    groups, places = _groups(optimizer, state_dict["param_groups"])
    options = [g for g, own in zip(groups, optimizer.param_groups, strict=True) for _ in own["params"]]
    found: dict[int, dict[str, Any]] = {}
    for number, values in states.items():
        if number not in places:
            raise ValueError(f"{name}: state for parameter {number}, which is not here")
        i = places[number]
        missing = optimizer._missing(values, options[i])
        if missing:
            raise ValueError(f"{name}: the saved state of parameter {number} lacks {sorted(missing)}")
        found[i] = {k: _value(optimizer, i, k, v) for k, v in values.items()}
    return groups, found


def _states(optimizer: Optimizer, saved: Any) -> dict[int, dict[str, Any]]:
    """The saved values of every parameter, by the number it had; only their names are checked."""
    name = type(optimizer).__name__
    if not isinstance(saved, Mapping) or not all(isinstance(v, Mapping) for v in saved.values()):
        raise TypeError(f"{name}: 'state' must be a dict of dicts, got {saved!r}")
    found = {}
    for key, values in saved.items():
        # None: torch's SGD before the first step with momentum
        own = {optimizer.older.get(k, k): v for k, v in values.items() if v is not None}
        unknown = own.keys() - {*optimizer.states}
        if unknown:
            raise ValueError(f"{name}: {sorted(map(str, unknown))} saved, by another optimizer")
        found[_number(name, key)] = own
    if len(found) != len(saved):
        raise ValueError(f"{name}: the state of one parameter is saved twice: {list(saved)}")
    return found


def _groups(optimizer: Optimizer, saved: Any) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The options of every group, and which place each saved number of a parameter has."""
    name, here = type(optimizer).__name__, optimizer.param_groups
    if not isinstance(saved, list | tuple) or not all(isinstance(g, Mapping) for g in saved):
        raise TypeError(f"{name}: 'param_groups' must be a list of dicts, got {saved!r}")
    if len(saved) != len(here):
        raise ValueError(f"{name}: {len(saved)} groups saved, {len(here)} here")
    options, numbers = [], []
    for group, own in zip(saved, here, strict=True):
        members = group.get("params")
        if not isinstance(members, list | tuple):
            raise ValueError(f"{name}: a saved group must list its 'params', got {members!r}")
        if len(members) != len(own["params"]):
            raise ValueError(f"{name}: {len(members)} parameters of a group saved, {len(own['params'])} here")
        numbers += [_number(name, m) for m in members]
        options.append(_options(optimizer, group, own))
    places = {number: i for i, number in enumerate(numbers)}
    if len(places) != len(numbers):
        raise ValueError(f"{name}: a number stands twice among the saved 'params'")
    return options, places


def _options(optimizer: Optimizer, saved: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    name = type(optimizer).__name__
    chosen = {k: v for k, v in saved.items() if k not in PASSED_OVER | {"params", "param_names"}}
    unknown = chosen.keys() - {*optimizer.defaults, *SCHEDULED}
    if unknown:
        raise ValueError(f"{name}: saved with {sorted(map(str, unknown))}, which is no option here")
    missing = optimizer.defaults.keys() - chosen.keys() - LATER
    if missing:
        raise ValueError(f"{name}: a saved group lacks {sorted(missing)}")
    names = own.get("param_names")
    if names and "param_names" in saved and list(saved["param_names"]) != list(names):
        raise ValueError(f"{name}: saved for the parameters {saved['param_names']}, here are {names}")
    return optimizer._checked({**{k: v for k, v in own.items() if k != "params"}, **chosen})


def _value(optimizer: Optimizer, i: int, key: str, value: Any) -> Any:
    title = f"{type(optimizer).__name__}: {key} of parameter {i}"
    if key == "step":
        count = hyperparameter(title, value)
        if count != int(count):
            raise ValueError(f"{title} must be a whole number, got {value}")
        return int(count)
    parameter = optimizer._parameters[i]
    array = np.asarray(host(title, value), order="C")
    if array.shape != parameter.shape:
        raise ValueError(f"{title} is {array.shape}, the parameter {parameter.shape}")
    return backend.asarray(array, parameter.dtype, copy=True)


def _number(name: str, key: Any) -> int:
    """The number of a parameter; earlier versions saved it as text."""
    if isinstance(key, str) and key.isdecimal():
        return int(key)
    try:
        if isinstance(key, bool):
            raise TypeError
        return operator.index(key)
    except TypeError:
        raise TypeError(f"{name}: parameters are numbered in a saved state, got {key!r}") from None
