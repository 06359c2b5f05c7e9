"""Module: named parameters, buffers and parts. State lives here; the mathematics is in ops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor


class Parameter(Tensor):
    """A Tensor that training changes: requires grad unless frozen."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None) -> None:
        super().__init__(data, requires_grad, dtype)


class Buffer(Tensor):
    """A Tensor that is saved with the parameters but not trained, e.g. running statistics."""

    __slots__ = ()


class Module:
    """A part of a network. Attributes that are Parameters, Buffers or Modules are found by name.

    Subclasses define ``forward``; calling the module runs it. Keys of ``state_dict`` are the
    attribute names joined by dots, as in torch.nn.
    """

    training: bool = True

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no forward(...)")

    # ---- what it is made of --------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct parts, in the order in which they were assigned."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The parts directly below."""
        return (child for _, child in self.named_children())

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
            parts = [(_join(name, key), child) for key, child in module.named_children()]
            stack.extend(reversed(parts))

    def modules(self) -> Iterator[Module]:
        """This module and every part below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, also where two modules share it, under its first name."""
        return _unique(self._named_tensors(Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once, also where two modules share it."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every buffer once, under its first name."""
        return _unique(self._named_tensors(Buffer))

    def buffers(self) -> Iterator[Buffer]:
        """Every buffer once."""
        return (buffer for _, buffer in self.named_buffers())

    def _named_tensors(self, kind: type) -> Iterator[tuple[str, Any]]:
        stack: list[tuple[str, Any, tuple[Any, ...]]] = [("", self, ())]
        while stack:
            prefix, module, above = stack.pop()
            path = (*above, module)
            parts = []
            for name, value in vars(module).items():
                if isinstance(value, kind):
                    yield _join(prefix, name), value
                elif isinstance(value, Module) and not any(value is other for other in path):
                    parts.append((_join(prefix, name), value, path))  # not what refers to its parent
            stack.extend(reversed(parts))

    # ---- state ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers as NumPy arrays, under their names."""
        return {
            name: np.array(backend.to_numpy(tensor._data))
            for name, tensor in self._named_tensors((Parameter, Buffer))  # type: ignore[arg-type]
        }

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Replace parameters and buffers by the arrays of `state`; returns (missing, unexpected).

        Nothing is changed unless everything fits. Values take the dtype of what they replace. The counter
        of batch normalisation may be missing, as it is from files older than PyTorch 0.4.1.

        Raises:
            KeyError: `strict` and some names are missing or unexpected; all are listed.
            ValueError: a shape differs; all such names are listed.
        """
        own = dict(self._named_tensors((Parameter, Buffer)))  # type: ignore[arg-type]
        missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise KeyError(
                f"{type(self).__name__}.load_state_dict: missing {missing}, unexpected {unexpected}; "
                "pass strict=False to load what fits"
            )
        arrays = {
            name: value._data if isinstance(value, Tensor) else np.asarray(value)
            for name, value in state.items() if name in own
        }  # fmt: skip
        wrong = [
            f"{name}: {tuple(array.shape)} for {own[name].shape}"
            for name, array in arrays.items() if tuple(array.shape) != own[name].shape
        ]  # fmt: skip
        if wrong:
            raise ValueError(f"{type(self).__name__}.load_state_dict: shapes differ: {'; '.join(wrong)}")
        for name, array in arrays.items():
            own[name].data = array
        return missing, unexpected

    # ---- modes ---------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout drops, batch normalisation uses the batch) for every part."""
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
        for _, tensor in self._named_tensors((Parameter, Buffer)):  # type: ignore[arg-type]
            if tensor.dtype.kind == "f":
                tensor._convert(dtype)
        return self

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call `function` on every part, innermost first, e.g. to initialise."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def extra_repr(self) -> str:
        """What the printed form says of this module besides its parts."""
        return ""

    def __repr__(self) -> str:
        head = f"{type(self).__name__}({self.extra_repr()}"
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        return head + ("\n" + "\n".join(lines) + "\n)" if lines else ")")


class Sequential(Module):
    """Parts applied one after another; keys "0", "1", ..., or those of one dict."""

    def __init__(self, *modules: Any) -> None:
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else None
        for name, module in named if named is not None else enumerate(modules):
            if named is not None and (not str(name) or "." in str(name) or hasattr(type(self), str(name))):
                raise KeyError(f"{type(self).__name__}: {name!r} cannot name a part: it is empty, has a dot, "
                               "or is a method")  # fmt: skip
            setattr(self, str(name), _as_module(type(self).__name__, module))

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int | slice) -> Any:
        parts = list(self.named_children())
        return Sequential(dict(parts[index])) if isinstance(index, slice) else parts[index][1]


class ModuleList(Module):
    """A list of parts; keys "0", "1", ..."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        setattr(self, str(len(self)), _as_module("ModuleList", module))
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]


def _as_module(owner: str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{owner}: parts must be Modules, got {module!r}")
    return module


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _unique(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, tensor in named:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor
