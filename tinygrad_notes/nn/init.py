"""Initialisers: fill a parameter in place with draws from the package's generator.

With fan_in inputs and fan_out outputs per unit, and independent zero-mean weights, a layer scales the
variance of what flows forward by fan_in · Var(w) and of the gradient by fan_out · Var(w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, ...): lengths times the receptive field."""
    if len(shape) < 2:
        raise ValueError(f"fans: a weight needs at least two axes (out, in, ...), got {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that undoes how a nonlinearity shrinks the variance; torch's values."""
    gains = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown {nonlinearity!r}; choose from {[*gains, 'leaky_relu']}")
    return gains[nonlinearity]


class Zeros:
    """In place of the random generator: every weight is one 0 that is shown at all its places.

    It takes neither time nor memory. Such networks are counted or loaded into (models/count.py), not trained.
    """

    def uniform(self, low: float, high: float, size: Any) -> np.ndarray:
        return np.broadcast_to(0.0, size)

    normal = uniform


DRAW = 1 << 20  # float64 numbers at once: a large weight would take three times its own memory


def _fill(tensor: Tensor, values: Any) -> Tensor:
    tensor._data = backend.asarray(np.asarray(values, dtype=np.float64).astype(tensor.dtype))
    return tensor


def _draw(tensor: Tensor, draws: Callable[[int], np.ndarray]) -> Tensor:
    """Fill with draws(count), in pieces: the numbers are those of one large draw."""
    if isinstance(backend.rng(), Zeros):
        tensor._data = backend.xp.broadcast_to(backend.xp.zeros((), tensor.dtype), tensor.shape)
        return tensor
    values = np.empty(tensor.size, tensor.dtype)
    for start in range(0, tensor.size, DRAW):
        piece = values[start : start + DRAW]
        piece[...] = draws(len(piece))
    tensor._data = backend.asarray(values.reshape(tensor.shape))
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U[a, b), with a and b rounded to the dtype of `tensor`: the largest draws must not round up to b."""
    low, high = (np.asarray(end).astype(tensor.dtype) for end in (a, b))
    largest = np.nextafter(high, low)

    def draws(count: int) -> np.ndarray:
        values = backend.rng().uniform(a, b, count).astype(tensor.dtype)
        return np.where(values == high, largest, values)

    return _draw(tensor, draws)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std²)."""
    return _draw(tensor, lambda count: backend.rng().normal(mean, std, count))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Every element `value`."""
    return _fill(tensor, np.full(tensor.shape, value))


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """U(±gain √(6 / (fan_in + fan_out))).  Glorot & Bengio 2010."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, gain² · 2 / (fan_in + fan_out)).  Glorot & Bengio 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor.shape))))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """U(±gain √(3 / fan)).  He et al. 2015; a is the slope of the leaky ReLU."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """N(0, gain² / fan).  He et al. 2015; a is the slope of the leaky ReLU."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))


def lecun_uniform_(tensor: Tensor) -> Tensor:
    """U(±√(3 / fan_in)): variance 1/fan_in.  LeCun et al. 1998, Efficient BackProp."""
    bound = math.sqrt(3 / fans(tensor.shape)[0])
    return uniform_(tensor, -bound, bound)


def lecun_normal_(tensor: Tensor) -> Tensor:
    """N(0, 1 / fan_in).  LeCun et al. 1998, Efficient BackProp."""
    return normal_(tensor, 0.0, 1 / math.sqrt(fans(tensor.shape)[0]))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """N(mean, std²) among the numbers between a and b: what falls outside is drawn again.

    Raises ValueError if less than 1 % of the draws would stay.
    """
    inside = 0.5 * (math.erf((b - mean) / (math.sqrt(2) * std)) - math.erf((a - mean) / (math.sqrt(2) * std)))
    if not inside > 0.01:
        raise ValueError(f"trunc_normal_: {inside:.1%} of N({mean}, {std}²) lies in [{a}, {b}]; widen it")

    def draws(count: int) -> np.ndarray:
        kept = np.empty(0)
        while len(kept) < count:
            drawn = backend.rng().normal(mean, std, int((count - len(kept)) / inside) + 16)
            kept = np.concatenate([kept, drawn[(a <= drawn) & (drawn <= b)]])
        return kept[:count]

    return _draw(tensor, draws)


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Rows, or the columns if there are fewer, of length `gain` at right angles.  Saxe et al. 2014.

    A weight (out, in, ...) is taken as a matrix (out, rest). A product with it keeps lengths.
    """
    fans(tensor.shape)  # two axes at least
    rows, columns = tensor.shape[0], tensor.size // max(1, tensor.shape[0])
    drawn = backend.rng().normal(0.0, 1.0, (max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diag(r))  # all directions alike, whatever signs the decomposition chose
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """N(0, std²) with ⌈sparsity · rows⌉ zeros in each column of a matrix.  Martens 2010."""
    if tensor.ndim != 2 or not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: needs a matrix and a sparsity in [0, 1], got {tensor.shape}, {sparsity}")
    places = backend.rng().random(tensor.shape).argsort(axis=0)  # 0..rows−1 in random order, by column
    values = backend.rng().normal(0, std, tensor.shape)
    return _fill(tensor, np.where(places < math.ceil(sparsity * tensor.shape[0]), 0, values))


def torch_default_(weight: Tensor, bias: Tensor | None) -> None:
    """What torch.nn.Linear and Conv2d start from: U(±1/√fan_in) for weight and bias.

    It is written there as kaiming_uniform(a=√5), which is the same bound.
    """
    bound = 1 / math.sqrt(max(1, fans(weight.shape)[0]))
    uniform_(weight, -bound, bound)
    if bias is not None:
        uniform_(bias, -bound, bound)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return fans(tensor.shape)[mode == "fan_out"]
