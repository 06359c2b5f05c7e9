"""What a gradient check looks at: one function at one point, its values, gradients and differences."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import backend
from .differences import Derivative, central
from .engine import grad
from .mode import no_grad
from .tensor import Tensor

SPAN = 1e4  # outputs whose sizes lie within this factor are weighed together
ALIKE = 1e3  # elements whose share in a derivative lies within this factor are moved together
NOTHING = 1e-14  # shares below this part of the largest are those of rounding
ROUNDING = 32.0  # how many roundings of Σ |c y| / h are forgiven
FINE = 1e-10  # nor is it an error if differences agree only to this part of the largest share
SHARP = 1e-4  # a derivative is sharp if what is forgiven is at most this part of it


class Problem:
    """One function at one point, with a random cotangent for each of its real outputs."""

    def __init__(
        self, function: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str],
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.function = function
        self.inputs = list(inputs)
        self.names = list(names)
        self.checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.points = [backend.to_numpy(self.inputs[i]._data).copy() for i in self.checked]
        self.values = self.evaluate(self.points)
        self.cotangents = [spread_out(rng, y.shape) for y in self.values]
        # Where this is the gradient of another function: Σ |c y| / |x| of that
        self.floors = [np.zeros(y.shape) for y in self.values]

    def size(self) -> float:
        """The unit of rounding: Σ |c y|, which for a gradient may be less than what it was made of."""
        pairs = zip(self.cotangents, self.values, self.floors, strict=True)
        return max(
            float(max(np.sum(np.abs(c * y)), np.max(np.abs(c) * floor, initial=0.0))) for c, y, floor in pairs
        )

    def parts(self) -> list[Problem]:
        """This problem once for the outputs of each size, with c = 0 for the others."""
        sizes = [np.where(y == 0, f, np.abs(y)) for y, f in zip(self.values, self.floors, strict=True)]
        every = np.concatenate([s.ravel() for s in sizes])
        least = np.min(every[every > 0], initial=np.inf)  # zeros may become anything: with the smallest
        if not every.size or np.max(every) <= SPAN * least:
            return [self]
        found = []
        for members in alike(np.maximum(every, least), SPAN, 0.0):
            part = copy.copy(self)
            cuts = np.cumsum([s.size for s in sizes])[:-1]
            part.cotangents = [c * m.reshape(c.shape) for c, m in
                               zip(self.cotangents, np.split(members, cuts), strict=True)]  # fmt: skip
            found.append(part)
        return found

    def scales(self, which: int) -> list[np.ndarray]:
        """How far the elements of an input are moved: by parts of the larger of 1 and |x|, of the smaller.

        The smaller for an element that is 0 is that of the smallest other one.
        """
        size = np.abs(self.points[which])
        near = np.where(size > 0, size, np.min(size[size > 0], initial=1.0))
        wide, narrow = np.maximum(size, 1.0), np.maximum(np.minimum(near, 1.0), 1e-6 * size)
        return [wide] if np.array_equal(wide, narrow) else [wide, narrow]

    def exact(self, which: int, direction: np.ndarray) -> np.ndarray:
        """`direction` rounded so that no x ± h · direction is: h is a power of 2, at least 2⁻²⁰."""
        quantum = np.maximum(2.0**21 * np.spacing(np.abs(self.points[which])), 1e-300)
        with np.errstate(over="ignore"):
            multiple = np.round(direction / quantum)
        return np.where(np.abs(multiple) < 2.0**52, multiple * quantum, direction)

    def arguments(self, points: Sequence[np.ndarray], track: bool) -> list[Any]:
        args = list(self.inputs)
        for i, p in zip(self.checked, points, strict=True):
            args[i] = Tensor(p, requires_grad=track)
        return args

    def evaluate(self, points: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The real outputs at `points`."""
        with no_grad(), np.errstate(all="ignore"):
            outputs = real_outputs(self.function(*self.arguments(points, False)))
        return [backend.to_numpy(y._data) for y in outputs]

    def along(self, which: int, direction: np.ndarray) -> Callable[[float], list[np.ndarray]]:
        """t → the outputs at input `which` moved by t · direction."""

        def moved(t: float) -> list[np.ndarray]:
            points = list(self.points)
            points[which] = points[which] + t * direction
            return self.evaluate(points)

        return moved

    def gradients(self, create_graph: bool) -> list[np.ndarray]:
        """∂L/∂x of every checked input by the rules."""
        args = self.arguments(self.points, True)
        leaves = [args[i] for i in self.checked]
        outputs = real_outputs(self.function(*args))
        found = pull_back(outputs, leaves, [Tensor(c) for c in self.cotangents], create_graph)
        return [backend.to_numpy(g._data) for g in found]

    def derivative(
        self, which: int, direction: np.ndarray, good: float, cotangents: Any = None
    ) -> Derivative:
        """By differences: L along one direction of one input."""
        return central(self.along(which, direction), cotangents or self.cotangents, good)


def spread_out(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random signs times sizes between 1/2 and 3/2: no element is lost among the others."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def alike(sizes: np.ndarray, span: float = ALIKE, nothing: float = NOTHING) -> Iterator[np.ndarray]:
    """Masks of the elements within a factor `span` of the largest, of the largest of the rest, and so on.

    What is below `nothing` times the largest comes last, all together; negative sizes do not count.
    """
    left = sizes >= 0
    limit = nothing * np.max(sizes, initial=0.0)
    while left.any():
        top = np.max(sizes[left])
        members = left & (sizes >= (top / span if top > limit else 0.0))
        left = left & ~members
        yield members


def real_outputs(outputs: Any) -> list[Tensor]:
    """The floating-point outputs; integers and booleans have no gradient."""
    several = outputs if isinstance(outputs, list | tuple) else (outputs,)
    if not all(isinstance(y, Tensor) for y in several):
        raise TypeError(f"gradcheck: the function must return Tensors, not {type(outputs).__name__}")
    real = [y for y in several if y.dtype.kind == "f"]
    if not real:
        raise ValueError("gradcheck: the function has no floating-point output to differentiate")
    return real


def pull_back(
    outputs: list[Tensor], leaves: list[Tensor], cotangents: list[Any], create_graph: bool
) -> list[Tensor]:
    """Gradients of Σ c·y; zeros for a leaf that nothing depends on."""
    pairs = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = (None,) * len(leaves)
    if pairs:
        ys, cs = zip(*pairs, strict=True)
        found = grad(ys, leaves, cs, create_graph=create_graph, allow_unused=True)
    return [Tensor(np.zeros(x.shape, np.float64)) if g is None else g
            for x, g in zip(leaves, found, strict=True)]  # fmt: skip
