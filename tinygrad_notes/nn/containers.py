"""Modules that hold others in an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .module import Module


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
        for module in self:
            x = module(x)
        return x

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (part for _, part in self._named_parts())

    def __getitem__(self, index: int | slice) -> Any:
        parts = list(self._named_parts())
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
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (part for _, part in self._named_parts())

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


def _as_module(owner: str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{owner}: parts must be Modules, got {module!r}")
    return module
