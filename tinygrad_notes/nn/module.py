"""Module: named parameters, buffers and parts. State lives here; the mathematics is in ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..autograd.hooks import Handle, Hooks
from ..autograd.in_place import convert
from .captured import note_module, running
from .parameter import Buffer, Parameter, as_buffer


class Module:
    """A part of a network. Attributes that are Parameters, Buffers or Modules are found by name.

    Subclasses define ``forward``; calling the module runs it. Keys of ``state_dict`` are the attribute names
    joined by dots, as in torch.nn. A module that several others share is visited once. The name of a
    Parameter, or of a Module, stays one: assigning anything else but None raises TypeError. A Tensor that
    is assigned to the name of a Buffer becomes one.
    """

    training: bool = True
    _places: Mapping[str, type] = {}  # name: Parameter, Buffer or Module, also where it is None now
    _pre_hooks: Hooks = {}  # noqa: RUF012  (the hooks of this Module, in a dict of its own)
    _hooks: Hooks = {}  # noqa: RUF012
    if TYPE_CHECKING:  # parts are put in place by name, so their types are known only when they run

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        place = self._places.get(name)
        if place is not None and value is not None:
            taken_by, advice = PLACES[place]
            if not isinstance(value, taken_by):
                raise TypeError(
                    f"{type(self).__name__}: {name} is the name of a {place.__name__}, and a "
                    f"{type(value).__name__} cannot take its place; {advice}"
                )
            if place is Buffer and isinstance(value, Tensor) and not isinstance(value, Parameter | Buffer):
                value = as_buffer(value)
        kind = next((kind for kind in PLACES if isinstance(value, kind)), None)
        if kind is not None:
            self._own_places()[name] = kind
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._own_places().pop(name, None)

    def _own_places(self) -> dict[str, type]:
        return vars(self).setdefault("_places", {})

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """``self.name = parameter``, and if that is None, only a Parameter may take the name later."""
        self._own_places()[name] = Parameter
        setattr(self, name, parameter)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if not (self._pre_hooks or self._hooks or running):
            return self.forward(*inputs, **options)
        note_module(self)
        for hook in list(self._pre_hooks.values()):
            new = hook(self, inputs)
            if new is not None:
                inputs = new if isinstance(new, tuple) else (new,)
        y = self.forward(*inputs, **options)
        for hook in list(self._hooks.values()):
            new = hook(self, inputs, y)
            y = y if new is None else new
        return y

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> Handle:
        """Call ``hook(module, inputs)`` before each forward; what it returns is the inputs, or None."""
        return Handle(vars(self).setdefault("_pre_hooks", {}), hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> Handle:
        """Call ``hook(module, inputs, output)`` after each forward; what it returns is the output, or None.

        `inputs` are those given by position. Hooks run in the order in which they came.
        """
        return Handle(vars(self).setdefault("_hooks", {}), hook)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no forward(...)")

    # ---- what it is made of --------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct parts, each once, in the order in which they were assigned."""
        return _unique(self._named_parts())

    def children(self) -> Iterator[Module]:
        """The parts directly below, each once."""
        return (child for _, child in self.named_children())

    def _named_parts(self) -> Iterator[tuple[str, Module]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every part below, each once, outermost first."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            parts = [(_join(name, key), child) for key, child in module._named_parts()]
            stack.extend(reversed(parts))

    def _named_ways(self) -> Iterator[tuple[str, Module]]:
        """This module and every part, once for each way down to it; none leads back."""
        stack: list[tuple[str, Module, frozenset[int]]] = [("", self, frozenset())]
        while stack:
            name, module, above = stack.pop()
            if id(module) in above:
                continue
            yield name, module
            above |= {id(module)}
            parts = [(_join(name, key), child, above) for key, child in module._named_parts()]
            stack.extend(reversed(parts))

    def modules(self) -> Iterator[Module]:
        """This module and every part below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, also where two modules share it, under its first name."""
        return _unique(self._named_tensors(Parameter, self.named_modules()))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once, also where two modules share it."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every buffer once, under its first name."""
        return _unique(self._named_tensors(Buffer, self.named_modules()))

    def buffers(self) -> Iterator[Buffer]:
        """Every buffer once."""
        return (buffer for _, buffer in self.named_buffers())

    @staticmethod
    def _named_tensors(kind: Any, modules: Iterator[tuple[str, Module]]) -> Iterator[tuple[str, Any]]:
        """Those of `modules`; one that two of them share has two names."""
        for prefix, module in modules:
            for name, value in vars(module).items():
                if isinstance(value, kind):
                    yield _join(prefix, name), value

    def _state(self) -> dict[str, Any]:
        """Every parameter and buffer under all its names."""
        return dict(self._named_tensors(Parameter | Buffer, self._named_ways()))

    # ---- state ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers as NumPy arrays, under all their names, as in torch."""
        return {name: np.array(backend.to_numpy(tensor._data)) for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Replace parameters and buffers by the arrays of `state`; returns (missing, unexpected).

        Nothing is changed unless everything fits. Values take the dtype of what they replace. The
        counter of batch normalization may be missing, as it is from files older than PyTorch 0.4.1.

        Raises:
            KeyError: `strict` and some names are missing or unexpected; all are listed.
            ValueError: a shape differs; all such names are listed.
            TypeError: `state` is no mapping, or a value is no array of real numbers; all are listed.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{where}: needs a mapping of names to arrays, got a {type(state).__name__}")
        own = self._state()
        missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise KeyError(
                f"{where}: missing {missing}, unexpected {unexpected}; strict=False loads what fits"
            )
        arrays = _fitting(where, {name: (own[name], value) for name, value in state.items() if name in own})
        for name, array in arrays.items():
            own[name]._data = array
        return missing, unexpected

    # ---- modes ---------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout drops, batch normalization uses the batch) for every part."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set evaluation mode."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze (False) or unfreeze every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def astype(self, dtype: Any) -> Module:
        """Convert every real parameter and buffer in place, e.g. to float64 for a gradient check.

        Raises TypeError, and changes nothing, unless `dtype` is one of real numbers.
        """
        if backend.check_dtype(dtype).kind != "f":
            raise TypeError(f"{type(self).__name__}.astype: parameters are real numbers, not {dtype}")
        for _, tensor in _unique(self._named_tensors(Parameter | Buffer, self.named_modules())):
            if tensor.dtype.kind == "f":
                convert(tensor, dtype)
        return self

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call `function` once on every part, on parts before what they are in, e.g. to initialize."""
        stack, seen = [(self, iter([*self.children()]))], {id(self)}
        while stack:
            part = next((part for part in stack[-1][1] if id(part) not in seen), None)
            if part is None:
                function(stack.pop()[0])
            else:
                seen.add(id(part))
                stack.append((part, iter([*part.children()])))
        return self

    def extra_repr(self) -> str:
        """What the printed form says of this module besides its parts."""
        return ""

    def __repr__(self) -> str:
        names: dict[int, str] = {}  # of what has been printed: a part that is shared is printed once
        lines = list[str]()
        stack: list[tuple[int, str, str, Module | None]] = [(0, "", "", self)]
        while stack:
            depth, label, name, module = stack.pop()
            indent = "  " * depth + label
            if module is None:
                lines.append(indent)
                continue
            kind = f"{indent}{type(module).__name__}"
            if id(module) in names:
                lines.append(f"{kind}, the same as {names[id(module)] or 'the whole'}")
                continue
            names[id(module)] = name
            parts = [(depth + 1, f"({key}): ", _join(name, key), part) for key, part in module._named_parts()]
            lines.append(f"{kind}({module.extra_repr()}" + ("" if parts else ")"))
            stack += [(depth, ")", "", None), *parts[::-1]] if parts else []
        return "\n".join(lines)


PLACES: dict[type, tuple[tuple[type, ...], str]] = {  # what may take the place of what, as in torch
    Parameter: ((Parameter,), "assign an nn.Parameter or None, or change its numbers under tg.no_grad()"),
    Module: ((Module, Parameter), "assign a Module or None"),
    Buffer: ((Tensor, Module), "assign a Tensor or None"),
}


def _fitting(where: str, values: Mapping[str, tuple[Tensor, Any]]) -> dict[str, Any]:
    """A copy of each value as it fits in place of its tensor; raises for all that do not fit at once."""
    arrays, shapes, kinds = dict[str, Any](), list[str](), list[str]()
    for name, (tensor, value) in values.items():
        try:
            array = value._data if isinstance(value, Tensor) else backend.asarray(value)
            if tuple(array.shape) != tensor.shape:
                shapes.append(f"{name}: {tuple(array.shape)} for {tensor.shape}")
            else:
                arrays[name] = tensor._replacement(name, array)
        except (TypeError, ValueError) as error:
            kinds.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    if shapes:
        raise ValueError(f"{where}: shapes differ: {'; '.join(shapes)}")
    if kinds:
        raise TypeError(f"{where}: {'; '.join(kinds)}")
    return arrays


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _unique(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
