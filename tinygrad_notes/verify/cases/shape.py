"""Rows of ops/shape.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import shape as ops
from .case import Case, F, T, build, case, real

S = (2, 3, 2)
ROWS = np.array([2, 0, 2, 2])  # with repeats: gradients must add up
MASK = np.array([[True, False, True], [False, True, True]])


def _picked(x: np.ndarray, index: Any) -> np.ndarray:
    """x[index] by way of positions: index an array of numbers, then look each one up."""
    numbers = np.arange(x.size).reshape(x.shape)[index]
    return build(numbers.shape, lambda *i: x.flat[numbers[i]])


def _scattered(g: np.ndarray, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Each g added to its place, one at a time."""
    y = np.zeros(shape)
    numbers = np.arange(y.size).reshape(shape)[index]
    for i in np.ndindex(numbers.shape):
        y.flat[numbers[i]] += g[i]
    return y


def _index(name: str, index: Any, torch_too: bool = True) -> tuple[Case, Case]:
    """A row for x[index] and one for its adjoint, zeros with g added at [index]."""
    shape = np.zeros(S)[index].shape

    def for_torch(part: Any) -> Any:
        return T.tensor(part) if isinstance(part, np.ndarray | list) else part

    def pick(x: Any) -> Any:
        return x[tuple(map(for_torch, index)) if isinstance(index, tuple) else for_torch(index)]

    return (
        case(f"getitem: {name}", ops.GetItem, lambda x: ops.getitem(x, index), real(S),
             lambda x: _picked(x, index), pick if torch_too else None),
        case(f"scatter_add: {name}", ops.ScatterAdd, lambda g: ops.scatter_add(g, index, S),
             real(shape), lambda g: _scattered(g, index, S)),
    )  # fmt: skip


def _flipped(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return build(x.shape, lambda *i: x[tuple(
        x.shape[a] - 1 - n if a in axes else n for a, n in enumerate(i))])  # fmt: skip


def _padded(x: np.ndarray, before: tuple[int, ...], shape: tuple[int, ...], value: float) -> Any:
    y = np.full(shape, value)
    for i in np.ndindex(x.shape):
        y[tuple(n + b for n, b in zip(i, before, strict=True))] = x[i]
    return y


CASES = (
    case("reshape", ops.Reshape, lambda x: ops.reshape(x, (3, -1)), real(S),
         lambda x: build((3, 4), lambda i, j: x.flat[4 * i + j]), lambda x: x.reshape(3, -1)),
    case("reshape: to 0-d and back", ops.Reshape, lambda x: x.reshape(()).reshape(1, 1), real((1,)),
         lambda x: np.array([[float(x[0])]]), lambda x: x.reshape(()).reshape(1, 1)),
    case("flatten", ops.Reshape, lambda x: ops.flatten(x, 1), real(S),
         lambda x: build((2, 6), lambda i, j: x[i, j // 2, j % 2]), lambda x: x.flatten(1)),
    case("squeeze", ops.Reshape, lambda x: ops.squeeze(x, axis=-1), real((1, 3, 1)),
         lambda x: build((1, 3), lambda i, j: x[i, j, 0]), lambda x: x.squeeze(-1)),
    case("squeeze: all", ops.Reshape, ops.squeeze, real((1, 3, 1)),
         lambda x: build((3,), lambda j: x[0, j, 0]), lambda x: x.squeeze()),
    case("expand_dims", ops.Reshape, lambda x: ops.expand_dims(x, (0, -1)), real((2, 3)),
         lambda x: build((1, 2, 3, 1), lambda _, i, j, k: x[i, j]), lambda x: x[None, ..., None]),
    case("transpose", ops.Transpose, lambda x: x.T, real((2, 3)),
         lambda x: build((3, 2), lambda i, j: x[j, i]), lambda x: x.T),
    case("transpose: axes", ops.Transpose, lambda x: ops.transpose(x, (2, 0, -2)), real(S),
         lambda x: build((2, 2, 3), lambda i, j, k: x[j, k, i]), lambda x: x.permute(2, 0, 1)),
    case("swapaxes", ops.Transpose, lambda x: ops.swapaxes(x, 0, -1), real((2, 3, 1)),
         lambda x: build((1, 3, 2), lambda i, j, k: x[k, j, i]), lambda x: x.transpose(0, -1)),
    case("moveaxis", ops.Transpose, lambda x: ops.moveaxis(x, 0, -1), real(S),
         lambda x: build((3, 2, 2), lambda i, j, k: x[k, i, j]),
         T.later("moveaxis", source=0, destination=-1)),
    case("moveaxis: two", ops.Transpose, lambda x: ops.moveaxis(x, (0, 2), (2, 0)), real((2, 3, 1)),
         lambda x: build((1, 3, 2), lambda i, j, k: x[k, j, i]),
         T.later("moveaxis", source=(0, 2), destination=(2, 0))),
    case("flip", ops.Flip, ops.flip, real(S), lambda x: _flipped(x, (0, 1, 2)),
         lambda x: x.flip((0, 1, 2))),
    case("flip: axis", ops.Flip, lambda x: ops.flip(x, -2), real(S), lambda x: _flipped(x, (1,)),
         lambda x: x.flip(1)),
    *_index("integer", 1),
    *_index("negative integers", (-1, -2)),
    *_index("all integers", (1, 2, 0)),
    *_index("slices", (slice(None), slice(0, 3, 2))),
    *_index("step backwards", (slice(None), slice(None, None, -1)), torch_too=False),
    *_index("Ellipsis and integer", (Ellipsis, 1)),
    *_index("None", (slice(None), None, 1)),
    *_index("mask", MASK),
    *_index("mask of one axis", (slice(None), np.array([True, False, True]))),
    *_index("array with repeats", (slice(None), ROWS)),
    *_index("list with repeats", [1, 0, 1]),
    *_index("two arrays", (np.array([0, 1, 0]), np.array([2, 0, 2]))),
    *_index("arrays that broadcast", (np.array([[0], [1]]), np.array([2, 2, -3]))),
    *_index("arrays around a slice", (np.array([1, 1]), slice(None), np.array([0, 0]))),
    *_index("array and integer", (1, np.array([0, 2, 2]))),
    *_index("empty slice", (slice(0, 0),)),
    case("concat", ops.Concatenate, lambda a, b: ops.concat([a, b], axis=-1), real((2, 1), (2, 3)),
         lambda a, b: build((2, 4), lambda i, j: a[i, j] if j < 1 else b[i, j - 1]),
         lambda a, b: T.cat([a, b], -1)),
    case("concatenate: three", ops.Concatenate, lambda a, b, c: ops.concatenate([a, b, c]),
         real((1, 2), (2, 2), (1, 2)),
         lambda a, b, c: build((4, 2), lambda i, j: (a[0], b[0], b[1], c[0])[i][j]),
         lambda *xs: T.cat(xs)),
    case("concat: one Tensor twice", ops.Concatenate, lambda a: ops.concat([a, a]), real((2,)),
         lambda a: build((4,), lambda i: a[i % 2]), lambda a: T.cat([a, a])),
    case("stack", (ops.Concatenate, ops.Reshape), lambda a, b: ops.stack([a, b], axis=1),
         real((2, 3), (2, 3)), lambda a, b: build((2, 2, 3), lambda i, k, j: (a, b)[k][i, j]),
         lambda a, b: T.stack([a, b], 1)),
    case("stack: 0-d", (ops.Concatenate, ops.Reshape), lambda a, b: ops.stack([a, b]), real((), ()),
         lambda a, b: np.array([float(a), float(b)]), lambda a, b: T.stack([a, b])),
    case("split: equal parts", ops.Split, lambda x: ops.split(x, 2, axis=1), real((2, 4)),
         lambda x: tuple(build((2, 2), lambda i, j, s=s: x[i, s + j]) for s in (0, 2)),
         lambda x: x.split(2, 1)),
    case("split: positions", ops.Split, lambda x: ops.split(x, (1, 1), axis=-1), real((2, 3)),
         lambda x: (x[:, :1] + 0, x[:, :0] + 0, build((2, 2), lambda i, j: x[i, 1 + j])),
         lambda x: x.split((1, 0, 2), 1)),
    case("split: one part unused", ops.Split, lambda x: ops.split(x, 3)[1], real((3, 2)),
         lambda x: build((1, 2), lambda i, j: x[1, j]), lambda x: x.split(1)[1]),
    case("pad", ops.Pad, lambda x: ops.pad(x, ((1, 0), (0, 2)), 0.5), real((2, 3)),
         lambda x: _padded(x, (1, 0), (3, 5), 0.5),
         lambda x: F.pad(x, (0, 2, 1, 0), value=0.5)),
    case("pad: one width", ops.Pad, lambda x: ops.pad(x, 1), real((2, 1)),
         lambda x: _padded(x, (1, 1), (4, 3), 0.0), lambda x: F.pad(x, (1, 1, 1, 1))),
    case("repeat", ops.GetItem, lambda x: ops.repeat(x, 3, axis=0), real((2, 2)),
         lambda x: build((6, 2), lambda i, j: x[i // 3, j]), lambda x: x.repeat_interleave(3, 0)),
)  # fmt: skip
