"""Modules that hold others, or parameters, in an order. Methods are those of torch, which are those of lists
and dictionaries."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from ..ops.arguments import integer
from .module import Module
from .parameter import Parameter


class _List(Module):
    """Parts under the keys "0", "1", ...; what is inserted or removed numbers them anew."""

    def _named(self) -> Iterator[tuple[str, Any]]:
        return self._named_parts()

    def _part(self, value: Any) -> Any:
        return _as_module(type(self).__name__, value)

    def _hold(self, parts: Iterable[Any]) -> None:
        parts = list(map(self._part, parts))
        for name, _ in list(self._named()):
            delattr(self, name)
        for i, part in enumerate(parts):
            setattr(self, str(i), part)

    def append(self, part: Any) -> Self:
        setattr(self, str(len(self)), self._part(part))
        return self

    def extend(self, parts: Iterable[Any]) -> Self:
        for part in list(parts):
            self.append(part)
        return self

    __iadd__ = extend

    def insert(self, index: int, part: Any) -> Self:
        parts = list(self)
        parts.insert(index, part)
        self._hold(parts)
        return self

    def pop(self, index: int = -1) -> Any:
        part = self[index]
        del self[index]
        return part

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Any]:
        return (part for _, part in self._named())

    def __getitem__(self, index: int | slice) -> Any:
        parts = list(self)[index]
        return type(self)(parts) if isinstance(index, slice) else parts  # type: ignore[call-arg]

    def __setitem__(self, index: int, part: Any) -> None:
        name, _ = list(self._named())[integer(type(self).__name__, "the index of one part", index)]
        setattr(self, name, self._part(part))

    def __delitem__(self, index: int | slice) -> None:
        parts = list(self)
        del parts[index]
        self._hold(parts)


class Sequential(_List):
    """Parts applied one after another; keys "0", "1", ..., or those of one dict."""

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                setattr(self, _as_name(self, name), self._part(module))
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, index: int | slice) -> Any:
        parts = list(self._named_parts())
        return Sequential(dict(parts[index])) if isinstance(index, slice) else parts[index][1]

    def __add__(self, other: Iterable[Any]) -> Sequential:
        return Sequential(*self, *other)


class ModuleList(_List):
    """A list of parts; keys "0", "1", ..."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ParameterList(_List):
    """A list of Parameters; keys "0", "1", ... Tensors and arrays become Parameters."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.extend(values)

    def _named(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Parameter))

    def _part(self, value: Any) -> Parameter:
        return value if isinstance(value, Parameter) else Parameter(value)

    def extra_repr(self) -> str:
        return ", ".join(f"{parameter.shape} {parameter.dtype}" for parameter in self)


class ModuleDict(Module):
    """Parts by name; the names are the keys, in the order in which they came."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add the pairs of a mapping or of an iterable; a name that exists gets the new part."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module

    def keys(self) -> KeysView[str]:
        return dict(self._named_parts()).keys()

    def values(self) -> ValuesView[Module]:
        return dict(self._named_parts()).values()

    def items(self) -> ItemsView[str, Module]:
        return dict(self._named_parts()).items()

    def pop(self, key: str) -> Module:
        part = self[key]
        del self[key]
        return part

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: str) -> Module:
        return dict(self.items())[key]

    def __setitem__(self, key: str, module: Module) -> None:
        name = key if key in self else _as_name(self, key)
        setattr(self, name, _as_module("ModuleDict", module))

    def __delitem__(self, key: str) -> None:
        self[key]  # the KeyError of a dictionary, not an AttributeError
        delattr(self, key)


def _as_name(owner: Module, name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{type(owner).__name__}: names of parts are strings, got {name!r}")
    if not name or "." in name or hasattr(type(owner), name):
        raise KeyError(f"{type(owner).__name__}: {name!r} cannot name a part: it is empty, has a dot, "
                       "or is a method")  # fmt: skip
    return name


def _as_module(owner: str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{owner}: parts must be Modules, got {module!r}")
    return module
