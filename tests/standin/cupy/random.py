"""cupy.random: draws on the device. The numbers are NumPy's, not those of a GPU generator."""

from typing import Any

import numpy as np

from . import _capture, _device, _names
from ._array import ndarray

_legacy = np.random.RandomState()


class BitGenerator:
    """A source of random bits."""

    def __init__(self, seed: Any = None) -> None:
        self._host = np.random.default_rng(_device.host_argument(seed, "BitGenerator"))


class XORWOW(BitGenerator):
    """The default source."""


class Philox4x3210(BitGenerator):
    """A counter-based source."""


class Generator:
    """CuPy's subset of numpy.random.Generator: no normal(), permutation() or choice()."""

    def __init__(self, bit_generator: BitGenerator) -> None:
        self.bit_generator = bit_generator


def default_rng(seed: Any = None) -> Generator:
    """A Generator on XORWOW."""
    if isinstance(seed, Generator):
        return seed
    return Generator(seed if isinstance(seed, BitGenerator) else XORWOW(seed))


def seed(seed: Any = None) -> None:
    """Seed the functions of this module."""
    _legacy.seed(_device.host_argument(seed, "seed"))


def _drawn(host: Any) -> ndarray:
    """Numbers that the device has drawn; a graph would draw the same ones again."""
    _capture.forbid("random numbers")
    return _device.computed(np.array, host)


def shuffle(a: Any) -> None:
    """Permute a device array in place, along the first axis."""
    data = _device.array_argument(a, "shuffle")
    _capture.forbid("random numbers")
    _device.launch(lambda: _legacy.shuffle(data), [data])


def permutation(a: Any) -> ndarray:
    """Permuted range(a), or a permuted copy of a device array."""
    return _drawn(_legacy.permutation(_device.operand(a, "permutation")))


def choice(a: Any, size: Any = None, replace: bool = True, p: Any = None) -> ndarray:
    """Draws from range(a) or from a device array."""
    weights = None if p is None else _device.array_argument(p, "choice: p")
    return _drawn(_legacy.choice(_device.operand(a, "choice"), size, replace, weights))


def _draw(name: str, parameters: str, host: Any) -> Any:
    """A function of host parameters that returns device numbers of the asked dtype."""
    sig = _device.signature(parameters)

    def draw(*args: Any, **kwargs: Any) -> ndarray:
        given = _device.bind(sig, name, args, kwargs)
        source = given.pop("self", None)
        dtype, out = given.pop("dtype", None), given.pop("out", None)
        values = [
            item
            for key, value in given.items()
            for item in (value if sig.parameters[key].kind is sig.parameters[key].VAR_POSITIONAL else [value])
        ]
        names = [key for key in given if sig.parameters[key].kind is not sig.parameters[key].VAR_POSITIONAL]
        _device.host_argument(values, name)
        draws = getattr(source.bit_generator._host if source else host, name)
        found = draws(*values) if len(names) < len(given) else draws(**given)
        result = _drawn(np.asarray(found).astype(dtype or np.asarray(found).dtype))
        if out is None:
            return result
        out[...] = result
        return out

    draw.__name__ = name
    return draw


for _name, _parameters in _names.RANDOM.items():
    if _name not in ("default_rng", "seed", "shuffle", "permutation", "choice"):
        globals()[_name] = _draw(_name, _parameters, _legacy)
for _name, _parameters in _names.GENERATOR.items():
    setattr(Generator, _name, _draw(_name, f"self, {_parameters}", None))
