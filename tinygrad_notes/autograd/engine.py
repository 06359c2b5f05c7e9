"""The backward pass: visits the recorded nodes from the last to the first.

Accumulation and the undoing of broadcasts live here, so that rules state mathematics only. The walk
is a loop over nodes in the reverse of the order in which they were made, never recursion.

With ``create_graph`` the same rules are read on Tensors: what a node kept is wrapped again, together
with its edges, and ``save`` is replayed, so that every gradient is itself a recorded computation.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend.capture import running
from . import guard, mode
from .anomaly import check_backward
from .broadcast import unbroadcast
from .function import _next_number
from .hooks import hooked
from .node import Leaf, Node
from .order import above, reverse_order
from .place import freed, note_backward, unruled
from .reading import read_rules
from .replay import replay, rewrap
from .seed import seed
from .sharing import alone
from .tape import Tape, tape
from .tensor import Tensor
from .unmoved import unmoved


def backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Any],
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradient of every leaf below `outputs` to its ``.grad``; see `Tensor.backward`."""
    _Pass(create_graph, None).run(outputs, gradients, retain_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of the sum of `outputs` with respect to `inputs`; no ``.grad`` is touched.

    Args:
        outputs: Tensors of one element each, or give `grad_outputs` of their shapes.
        inputs: any Tensors of the graph, leaves or not.
        create_graph: record the backward, so that the result can be differentiated again.
        retain_graph: keep the graph for another backward; default `create_graph`.
        allow_unused: give None for an input that outputs do not depend on, instead of raising.
    """
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for name, listed in (("outputs", outputs), ("inputs", inputs)):
        for x in listed:
            if not isinstance(x, Tensor):
                raise TypeError(f"grad: {name} must be Tensors, got {type(x).__name__}")
    if not isinstance(grad_outputs, tuple | list):
        grad_outputs = (grad_outputs,) * len(outputs)
    wanted: dict[Any, dict[int, Any]] = {}
    for i, x in enumerate(inputs):
        if x._edge is None:
            raise RuntimeError(f"grad: input {i} of shape {x.shape} does not require grad")
        node, index = x._edge
        wanted.setdefault(node, {})[index] = None
    began = _next_number()
    _Pass(create_graph, wanted).run(outputs, grad_outputs, retain_graph)
    return _given_out(inputs, wanted, allow_unused, began)


def _given_out(
    inputs: Sequence[Tensor], found: dict[Any, dict[int, Any]], allow_unused: bool, began: int
) -> tuple[Tensor | None, ...]:
    """The gradients of `inputs` as Tensors that share no memory, nor with what a rule was given or had kept.

    Recorded ones made since `began` have their own, but for views and where one is given out twice.
    """
    results: list[Tensor | None] = []
    seen: set[int] = set()
    for i, x in enumerate(inputs):
        node, index = x._edge  # type: ignore[misc]
        g = found[node][index]
        if g is None and not allow_unused:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i} of shape {x.shape}; "
                "pass allow_unused=True to get None for it"
            )
        if g is not None and not isinstance(g, Tensor):
            g = Tensor._wrap(backend.xp.asarray(g).copy())
        elif g is not None:
            here = g._edge is not None and g._edge[0].sequence > began
            if not here or g._data.base is not None or id(g._data) in seen:
                g = _recorded_copy(g)
            seen.add(id(g._data))
        results.append(g)
    return tuple(results)


_collecting = threading.Lock()


class _Pass:
    """One walk from some outputs back to the leaves, or to the `wanted` nodes.

    `pending` holds, for every node not yet visited, the gradient of its output so far (a list of them
    for an operation with several outputs); `owned` the nodes whose pending gradient is a sum made
    here, which may be added into; `fresh` the leaves whose `grad` may be what a rule has returned.
    """

    def __init__(self, create_graph: bool, wanted: dict[Any, dict[int, Any]] | None) -> None:
        self.create_graph = create_graph
        self.wanted = wanted
        self.useful: set[Any] | None = None  # the wanted nodes and those above them
        self.xp = tape if create_graph else backend.xp
        self.read = None if create_graph else backend.xp.read
        self.checking = mode.anomaly.get()
        self.pending: dict[Any, Any] = {}
        self.owned, self.fresh = set[Any](), set[Any]()

    def run(self, outputs: Sequence[Tensor], gradients: Sequence[Any], retain_graph: bool | None) -> None:
        """Start with `gradients` at `outputs` and visit every node below, the last made first."""
        if len(gradients) != len(outputs):
            raise ValueError(f"backward: {len(outputs)} outputs but {len(gradients)} gradients")
        retain = self.create_graph if retain_graph is None else retain_graph
        for output, gradient in zip(outputs, gradients, strict=True):
            start = seed(output, gradient)
            node, index = output._edge  # type: ignore[misc]
            self.add(node, index, start if self.create_graph else start._data)
        order = reverse_order(outputs)
        wanted, pending = self.wanted, self.pending
        over = set[Any]() if wanted is None else above(wanted, order)
        if wanted is not None:
            self.useful = over.union(wanted)
        token = mode.recording.set(self.create_graph)
        try:
            for node in order:
                gy = pending.pop(node, None)
                if gy is None or (wanted is not None and node not in self.useful):  # type: ignore[operator]
                    continue
                if node.hooks:
                    gy = hooked(node, gy)
                if wanted is not None:
                    for index in wanted.get(node, ()):
                        wanted[node][index] = gy[index] if node.several else gy
                if type(node) is Leaf:
                    if wanted is None:
                        _collect(node, gy, node in self.owned, node in self.fresh)
                    continue
                if wanted is not None and node not in over:  # it is not run and not freed
                    continue
                self.visit(node, gy)
                if not retain:  # a second backward through here is an error; the edges stay to notice it
                    node.kept = node.save_inputs = node.stamps = None
                    node.attributes = {}
        except Exception as error:
            note_backward(error, node)
            raise
        finally:
            mode.recording.reset(token)

    def visit(self, node: Node, gy: Any) -> None:
        """Run the backward rules of one node and hand their results on."""
        if node.kept is None:
            raise freed(node)
        if guard.records:
            guard.check(node)
        for i in node.operation.unruled:
            if node.edges[i] is not None:
                raise unruled(node, i)
        if node.several and self.read is None:
            gy = tuple(self.zeros(meta) if g is None else g for g, meta in zip(gy, node.meta, strict=True))
        edges, useful = node.edges, self.useful
        since = _next_number() if self.create_graph else 0
        intermediates = replay(node) if self.create_graph else None
        rules = node.operation.backward_rules if self.read is None else read_rules(self.read, node)
        for (run, plan, _, names, target), kept in zip(rules, node.kept):  # noqa: B905 (a hot loop)
            if kept is None or (useful is not None and target >= 0 and edges[target][0] not in useful):
                continue
            if self.create_graph:
                kept = [rewrap(node, i, v, intermediates) for i, v in zip(plan, kept, strict=True)]
            if names:
                result = run(self.xp, gy, *kept, **{k: node.attributes[k] for k in names})
            else:
                result = run(self.xp, gy, *kept)
            if self.create_graph:
                result = unmoved(node, plan, result, since)
            if target >= 0:
                self.hand_on(node, edges[target], result, (gy,))
                continue
            results = result if type(result) is tuple else (result,)
            if len(results) != len(edges):
                raise RuntimeError(
                    f"backward of {node.operation.name} gave {len(results)} gradients for {len(edges)} "
                    "inputs; it must return one for each"
                )
            for i, (edge, gx) in enumerate(zip(edges, results, strict=True)):
                self.hand_on(node, edge, gx, (gy, *results[:i]))

    def hand_on(self, node: Node, edge: tuple[Any, int] | None, gx: Any, others: tuple[Any, ...]) -> None:
        """Bring a gradient into its input's shape and dtype and add it there.

        `others`, which may hold it too, are the gradient of the output and what other inputs got.
        """
        if edge is None:
            return
        if not hasattr(gx, "shape"):
            raise RuntimeError(
                f"backward of {node.operation.name} gave {gx!r} for an input that requires a gradient; "
                "return an array of its shape, of zeros where the gradient is zero"
            )
        to, index = edge
        shape, dtype = to.meta[index] if to.several else to.meta
        if gx.shape != shape:
            if not node.operation.broadcasts:
                raise RuntimeError(
                    f"backward of {node.operation.name}: gradient of shape {gx.shape} for an input of "
                    f"shape {shape}; the rule is wrong, or the operation must declare `broadcasts`"
                )
            gx = unbroadcast(self.xp, gx, shape)
        if gx.dtype is not dtype and gx.dtype != dtype:
            gx = gx.astype(dtype)
        if self.checking:
            check_backward(node, backend.xp, gx._data if self.create_graph else gx)
        if to in self.pending or to.several:
            self.add(to, index, gx)
            return
        self.pending[to] = gx
        if type(to) is not Leaf or self.create_graph:
            return
        if alone(gx, (others, *(node.kept or ()), node.attributes.values())):
            self.fresh.add(to)

    def add(self, node: Any, index: int, g: Any) -> None:
        """Add `g` to the gradient that waits at output `index` of `node`."""
        pending = self.pending
        if node.several:
            slots = pending.setdefault(node, [None] * len(node.meta))
            slots[index] = g if slots[index] is None else slots[index] + g
            return
        before = pending.get(node)
        if before is None:
            pending[node] = g
        elif node in self.owned:
            pending[node] = self.xp.add(before, g, out=before)
        else:
            pending[node] = self.xp.add(before, g)
            if not self.create_graph and before.ndim:
                self.owned.add(node)

    def zeros(self, meta: tuple[tuple[int, ...], Any]) -> Any:
        """The gradient of an output that nothing used."""
        zeros = backend.xp.zeros(*meta)
        return Tensor._wrap(zeros) if self.create_graph else zeros


def _recorded_copy(g: Tensor) -> Tensor:
    """A copy with a graph."""
    token = mode.recording.set(True)
    try:
        return g + 0.0
    finally:
        mode.recording.reset(token)


def _collect(leaf: Leaf, g: Any, owned: bool, fresh: bool) -> None:
    """Add `g` to the gradient of a leaf, which owns its array alone; `owned` and `fresh` as in `_Pass`."""
    recorded = isinstance(g, Tensor)
    if running:
        running[-1].collects(leaf)
    with _collecting:  # backwards of several threads may end in one leaf
        if recorded:
            leaf.grad = g + (0.0 if leaf.grad is None else leaf.grad)  # never g itself: a copy with a graph
            return
        if leaf.grad is not None:  # somebody may hold it: the sum is another array
            g = backend.xp.add(leaf.grad._data, g, out=g if owned else None)
        elif not (owned or fresh):
            g = g.copy()
        leaf.grad = Tensor._wrap(backend.xp.asarray(g))


Tape.backward = staticmethod(backward)
