"""From logits to a sequence: the likeliest next one, a draw, or the best of several beams.

A `step` is a function (ids (N, T), state) → (logits (N, T, V), state), such as a language model or the
decoder of a translator. The state is any nesting of tuples whose Tensors have the samples first, and None.
Each id is read once: what came before is in the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..autograd import Tensor, no_grad
from ..ops.arguments import as_tensor

State = Any
Step = Callable[[Any, State], tuple[Tensor, State]]
Choice = Callable[[np.ndarray], np.ndarray]


def mapped(function: Callable[[Tensor], Tensor], state: State) -> State:
    """`function` of every Tensor of a state."""
    if isinstance(state, tuple):
        return tuple(mapped(function, part) for part in state)
    return None if state is None else function(state)


def select(state: State, rows: np.ndarray) -> State:
    """The state of some samples, in their order; one may be taken several times."""
    rows = backend.asarray(rows)
    return mapped(lambda x: x[rows], state)


# ---- one after another -------------------------------------------------------------------------------


def greedy(logits: np.ndarray) -> np.ndarray:
    """The likeliest id of each row (N, V), the first of equals."""
    return logits.argmax(axis=1)


class Sampling:
    """Draws from softmax(logits / temperature), cut to the `top_k` likeliest ids, then to `top_p`.

    `top_p`: the fewest likeliest ids of at least this probability together (Holtzman et al. 2020). Equal ids
    are cut from the back. temperature 0 is `greedy`. The same `seed` gives the same draws; None: others.

    Raises ValueError for a negative temperature, top_k below 1, or top_p outside (0, 1].
    """

    def __init__(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        if not (temperature >= 0 and math.isfinite(temperature)):
            raise ValueError(f"Sampling: temperature must be 0 or more, got {temperature}")
        if top_k is not None and top_k < 1:
            raise ValueError(f"Sampling: top_k must be at least 1, got {top_k}")
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError(f"Sampling: top_p must be above 0 and at most 1, got {top_p}")
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.rng = np.random.default_rng(seed)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(N, V): what is drawn from; 0 for ids that are cut.

        Raises ValueError for a row that holds NaN or ∞, or −∞ alone: nothing can be drawn from it.
        """
        logits = logits.astype(np.float64)
        if not np.isfinite(logits.max(axis=1)).all():  # a NaN is the largest
            raise ValueError("Sampling: the logits hold NaN or infinity; the model has lost its numbers")
        if self.temperature == 0:
            certain = np.zeros_like(logits)
            certain[np.arange(len(logits)), greedy(logits)] = 1
            return certain
        order = np.argsort(-logits, axis=1, kind="stable")  # likeliest first
        logits = np.take_along_axis(logits, order, axis=1)
        with np.errstate(over="ignore"):  # of a tiny temperature: e^-∞ is 0
            p = np.exp((logits - logits[:, :1]) / self.temperature)
        if self.top_k is not None:
            p[:, self.top_k :] = 0
        p /= p.sum(axis=1, keepdims=True)
        if self.top_p is not None:
            before = np.cumsum(p, axis=1) - p
            p[before >= self.top_p] = 0  # enough without it
            p /= p.sum(axis=1, keepdims=True)
        back = np.empty_like(p)
        np.put_along_axis(back, order, p, axis=1)
        return back

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        p = self.probabilities(logits)
        if self.temperature == 0:
            return greedy(p)
        below = np.cumsum(p, axis=1)
        draws = self.rng.random((len(logits), 1)) * below[:, -1:]
        return (below <= draws).sum(axis=1)


def stream(
    step: Step, ids: Any, choose: Choice = greedy, state: State = (), context: int | None = None
) -> Iterator[np.ndarray]:
    """The ids (N,) that follow `ids` (N, T), one place after another, without end.

    `context`: places that the model has. When they are full, the last half of them is read again as if the
    text began there, so what came before is forgotten.
    """
    read = np.asarray(as_tensor(ids).numpy())
    seen = read  # of the text that the state knows, what may have to be read again
    if context is not None and read.shape[1] > context:
        read = seen = read[:, -context:]
    while True:
        if context is not None and seen.shape[1] > context:
            read = seen = seen[:, -max(1, context // 2) :]
            state = ()
        logits, state = _run(step, read, state)
        chosen = choose(logits)
        yield chosen
        read = chosen[:, None]
        seen = np.concatenate([seen, read], axis=1) if context is not None else read


def generate(
    step: Step, ids: Any, length: int, choose: Choice = greedy, state: State = (), stop: int | None = None,
    context: int | None = None,
) -> list[list[int]]:  # fmt: skip
    """For each sample the ids that follow, at most `length`, up to `stop` and without it; see `stream`."""
    made: list[list[int]] = [[] for _ in as_tensor(ids)]
    going = np.ones(len(made), bool)
    places = stream(step, ids, choose, state, context)
    for _ in range(length):
        chosen = next(places)
        going &= chosen != stop if stop is not None else True
        for row in np.flatnonzero(going):
            made[row].append(int(chosen[row]))
        if not going.any():
            break
    return made


def _run(step: Step, ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
    """(logits of the last place (N, V), state)."""
    with no_grad():
        logits, state = step(Tensor(ids), state)
        return backend.to_numpy(logits[:, -1]._data), state


# ---- beams -------------------------------------------------------------------------------------------


class Hypothesis(NamedTuple):
    """A sequence without its end, and log p / penalty."""

    ids: list[int]
    score: float


class _Beams:
    """The unfinished and finished hypotheses of one sample."""

    def __init__(self, beams: int, penalty: Callable[[int], float]) -> None:
        self.ids: list[list[int]] = [[]]
        self.log_p = np.zeros(1)
        self.finished: list[Hypothesis] = []
        self.beams, self.penalty = beams, penalty

    def extend(self, log_p: np.ndarray, stop: int) -> np.ndarray:
        """Take log p (beams, V) of what comes next; returns the beams that the new ones extend.

        Of the 2 · beams likeliest continuations an end counts if it is among the first half, and the first
        `beams` others go on.
        """
        totals = self.log_p[:, None] + log_p
        best = np.argsort(-totals, axis=None, kind="stable")[: 2 * self.beams]
        rows, ids = np.unravel_index(best, totals.shape)
        kept = []
        for rank, (row, new) in enumerate(zip(rows.tolist(), ids.tolist(), strict=True)):
            if totals[row, new] == -math.inf:
                break
            if new == stop:
                if rank < self.beams:
                    self._finish(self.ids[row], totals[row, new], len(self.ids[row]) + 1)
            elif len(kept) < self.beams:
                kept.append((row, new))
        self.log_p = np.array([totals[pair] for pair in kept])
        self.ids = [self.ids[row] + [new] for row, new in kept]
        return np.array([row for row, _ in kept], np.int64)

    def _finish(self, ids: list[int], log_p: float, length: int) -> None:
        self.finished.append(Hypothesis(ids, float(log_p) / self.penalty(length)))

    def done(self, length: int) -> bool:
        """Whether as many have ended as there are beams, or no other can be better than the best of them.

        log p only falls, and is divided by most at the full `length`.
        """
        if not self.ids or len(self.finished) >= self.beams:
            return True
        best = max((h.score for h in self.finished), default=-math.inf)
        return best >= self.log_p.max() / self.penalty(length)

    def result(self) -> list[Hypothesis]:
        """Best first; where none has ended, the unfinished ones as they are."""
        if not self.finished:
            for ids, log_p in zip(self.ids, self.log_p, strict=True):
                self._finish(ids, log_p, len(ids))
        return sorted(self.finished, key=lambda h: -h.score)


def beam_search(
    step: Step, ids: Any, length: int, stop: int, beams: int = 4, length_penalty: float = 0.6,
    state: State = (),
) -> list[list[Hypothesis]]:  # fmt: skip
    """For each sample its hypotheses, best first: at most `length` ids after `ids` (N, T), until `stop`.

    The score is log p / ((5 + ids with the end) / 6)^length_penalty (Wu et al. 2016); 0 only counts log p,
    which prefers short sequences. One beam without penalty is `greedy`. All samples are run at once, and
    those that are done leave.

    Raises ValueError for less than one beam, or a negative penalty.
    """
    if beams < 1 or length < 1 or not length_penalty >= 0:
        raise ValueError(
            f"beam_search: beams and length must be at least 1 and length_penalty 0 or more, got {beams}, "
            f"{length} and {length_penalty}"
        )
    read = np.asarray(as_tensor(ids).numpy())
    every = [_Beams(beams, lambda n: ((5 + n) / 6) ** length_penalty) for _ in read]
    running = every
    for _ in range(length if every else 0):
        logits, state = _run(step, read, state)
        log_p = logits - _logsumexp(logits)
        rows, start, new = [], 0, []
        for sample in running:
            count = len(sample.ids)
            kept = sample.extend(log_p[start : start + count], stop)
            if not sample.done(length):
                rows.append(kept + start)
                new.append(sample)
            start += count
        running = new
        if not running:
            break
        state = select(state, np.concatenate(rows))
        read = np.array([ids[-1:] for sample in running for ids in sample.ids])
    return [sample.result() for sample in every]


def _logsumexp(logits: np.ndarray) -> np.ndarray:
    """(N, V) → (N, 1), in float64."""
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
