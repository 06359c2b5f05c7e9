"""Recurrent networks over sequences: steps and the whole agree, padding reaches nothing, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import tape
from tinygrad_notes.ops import recurrent as ops

H, C = 3, 2
KINDS = {  # rows of the weights in H, states, further weights, options
    "rnn": (ops.rnn, 1, 1, {}, {}),
    "relu": (ops.rnn, 1, 1, {}, {"nonlinearity": "relu"}),
    "gru": (ops.gru, 3, 1, {}, {}),
    "gru, reset before": (ops.gru, 3, 1, {}, {"reset_after": False}),
    "lstm": (ops.lstm, 4, 2, {}, {}),
    "lstm of 1997": (ops.lstm, 3, 2, {}, {"forget_gate": False}),
    "lstm, peepholes": (ops.lstm, 4, 2, {"peephole": (3 * H,)}, {}),
    "lstm, projected": (ops.lstm, 4, 2, {"w_hr": (2, H)}, {}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
LENGTHS = [3, 5, 1, 2]


def arguments(kind, steps=5, samples=4, dtype=np.float64):
    """(input, states, {further arguments by name}) as Tensors that require grad."""
    _, gates, count, extra, _ = KINDS[kind]
    rng, rows = np.random.default_rng(0), gates * H
    width = extra.get("w_hr", (H,))[0]

    def normal(*shape):
        return tg.Tensor(rng.standard_normal(shape) / 2, requires_grad=True, dtype=dtype)

    weights = {"w_ih": (rows, C), "w_hh": (rows, width), "b_ih": (rows,), "b_hh": (rows,)} | extra
    states = [normal(samples, width), normal(samples, H)][:count]
    if count == 1:
        states = [normal(samples, H)]
    return normal(steps, samples, C), states, {name: normal(*shape) for name, shape in weights.items()}


def run(kind, x, states, weights, **options):
    function, *_, fixed = KINDS[kind]
    return function(x, *states, **weights, **fixed, **options)


def total(outputs):
    """A number that depends on every element of every output."""
    rng = np.random.default_rng(1)
    parts = [(y * tg.Tensor(rng.standard_normal(y.shape), dtype=y.dtype)).sum() for y in outputs]
    return sum(parts[1:], parts[0])


def values_and_gradients(outputs, leaves):
    return [v.detach().numpy() for v in (*outputs, *tg.grad(total(outputs), leaves))]


def agree(ours, expected, tolerance=1e-12):
    for a, e in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


@every_kind
@pytest.mark.parametrize("reverse", [False, True])
def test_steps_one_by_one_equal_the_whole(kind, reverse):
    """The engine adds up the gradients of the steps, the whole does it in a rule."""
    x, states, weights = arguments(kind)
    leaves = [x, *states, *weights.values()]
    whole = values_and_gradients(run(kind, x, states, weights, reverse=reverse), leaves)
    outputs, now = [None] * len(x), states
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        y, *now = run(kind, x[t : t + 1], now, weights)
        outputs[t] = y
    agree(values_and_gradients((tg.concat(outputs), *now), leaves), whole)


@every_kind
@pytest.mark.parametrize("reverse", [False, True])
def test_a_padded_batch_equals_its_samples_one_by_one(kind, reverse):
    x, states, weights = arguments(kind)
    leaves = [*states, *weights.values()]
    batch = values_and_gradients(run(kind, x, states, weights, lengths=LENGTHS, reverse=reverse), leaves)
    rows = []
    for n, length in enumerate(LENGTHS):
        one = [s[n : n + 1] for s in states]
        y, *last = run(kind, x[:length, n : n + 1], one, weights, reverse=reverse)
        rows.append((tg.pad(y, ((0, len(x) - length), (0, 0), (0, 0))), *last))
    parts = [tg.concat(column, axis=1 if i == 0 else 0) for i, column in enumerate(zip(*rows, strict=True))]
    agree(values_and_gradients(parts, leaves), batch)


@every_kind
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e300])
def test_padding_reaches_no_output_state_or_gradient(kind, reverse, filling):
    x, states, weights = arguments(kind)
    padding = np.arange(len(x))[:, None] >= np.array(LENGTHS)
    leaves = [x, *states, *weights.values()]
    expected = values_and_gradients(run(kind, x, states, weights, lengths=LENGTHS, reverse=reverse), leaves)
    spoilt = x.detach().numpy().copy()
    spoilt[padding] = filling
    leaves[0] = tg.Tensor(spoilt, requires_grad=True)
    found = values_and_gradients(
        run(kind, leaves[0], states, weights, lengths=LENGTHS, reverse=reverse), leaves
    )
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, e)
    assert (found[0][padding] == 0).all() and (found[1 + len(states)][padding] == 0).all()


@every_kind
def test_a_gradient_at_padding_goes_nowhere(kind):
    """Whatever a loss says of outputs that are padding, even NaN."""
    x, states, weights = arguments(kind)
    leaves = [x, *states, *weights.values()]
    y, *_ = run(kind, x, states, weights, lengths=LENGTHS)
    padding = np.arange(len(x))[:, None, None] >= np.array(LENGTHS)[:, None]
    plain = np.ones(y.shape)
    expected = tg.grad(y, leaves, tg.Tensor(np.where(padding, 0, plain)), retain_graph=True)
    found = tg.grad(y, leaves, tg.Tensor(np.where(padding, np.nan, plain)))
    agree([g.numpy() for g in found], [g.numpy() for g in expected])


@every_kind
def test_states_handed_on_continue_the_sequence(kind):
    x, states, weights = arguments(kind)
    whole = run(kind, x, states, weights)
    first, *middle = run(kind, x[:2], states, weights)
    second, *last = run(kind, x[2:], middle, weights)
    agree(
        [v.detach().numpy() for v in (tg.concat([first, second]), *last)], [v.detach().numpy() for v in whole]
    )


@every_kind
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dtype_stays_with_lengths_and_without_states(kind, dtype):
    x, states, weights = arguments(kind, dtype=dtype)
    nothing = [None] * len(states)
    outputs = run(kind, x, nothing, weights, lengths=LENGTHS, reverse=True)
    leaves = [x, *weights.values()]
    assert {y.dtype for y in (*outputs, *tg.grad(total(outputs), leaves))} == {np.dtype(dtype)}


@every_kind
@pytest.mark.parametrize(("steps", "samples"), [(1, 4), (5, 1), (1, 1), (5, 0)])
def test_one_step_one_sample_no_sample(kind, steps, samples):
    x, states, weights = arguments(kind, steps, samples)
    leaves = [x, *states, *weights.values()]
    y, *last = run(kind, x, states, weights)
    assert y.shape == (steps, samples, last[0].shape[1])
    for g, leaf in zip(tg.grad(total((y, *last)), leaves), leaves, strict=True):
        assert g.shape == leaf.shape and np.isfinite(g.numpy()).all()
    if samples == 0:
        masked = run(kind, x, states, weights, lengths=np.zeros(0, int))
        assert masked[0].shape == y.shape


@pytest.mark.parametrize("kind", ["relu", "gru", "lstm"])
def test_ten_thousand_steps(kind):
    """Without recursion: one operation is recorded for the whole sequence."""
    steps = 10_000 if backend.BACKEND == "numpy" else 1_000  # the stand-in of CuPy takes its time
    x, states, weights = arguments(kind, steps, 1, np.float32)
    weights["w_hh"].data = weights["w_hh"].numpy() / 4  # relu would grow without bounds
    leaves = [x, *states, *weights.values()]
    gradients = tg.grad(total(run(kind, x, states, weights)), leaves)
    assert all(np.isfinite(g.numpy()).all() for g in gradients)


def test_on_tensors_the_work_grows_with_the_length_and_not_with_its_square(monkeypatch):
    """x[t] for every t would give T gradients as long as x. Counted are the numbers that all rules return."""
    counted = 0
    original = tg.autograd.engine._Pass.hand_on

    def counting(self, node, edge, gx, shared):
        nonlocal counted
        counted += gx.size
        original(self, node, edge, gx, shared)

    monkeypatch.setattr(tg.autograd.engine._Pass, "hand_on", counting)
    sizes = []
    for steps in (50, 100):
        counted = 0
        x = tg.Tensor(np.ones((steps, 1, 2)), requires_grad=True)
        add = lambda x, h: (h + x, h + x)  # noqa: E731
        tape.scan(add, (x,), (tg.zeros((1, 2), "float64"),), (), None, False)[1].sum().backward()
        sizes.append(counted)
    assert sizes[1] < 2.2 * sizes[0]


def test_what_is_kept_for_the_backward():
    """The memory of backpropagation: what `backward` names, and what `save` needs to be replayed."""
    x, states, weights = arguments("lstm")
    y, *_ = run("lstm", x, states, weights)
    node = y._edge[0]
    kept = {id(a): a for a in (*node.kept[0], *node.save_inputs) if hasattr(a, "nbytes")}
    sequences = sum(a.size for a in kept.values() if a.ndim == 3)
    assert sequences == x.shape[0] * x.shape[1] * H * (4 + 4 + 3)  # a; gates; tanh c, h and c before


def w(*shape, dtype=np.float32):
    return tg.Tensor(np.zeros(shape, dtype))


def lstm(x=(5, 2, 3), h=None, c=None, w_ih=(16, 3), w_hh=(16, 4), b=(16,), **options):
    given = [None if s is None else w(*s) for s in (h, c)]
    return ops.lstm(w(*x), *given, w(*w_ih), w(*w_hh), w(*b), **options)


WRONG = [
    (lambda: lstm(x=(5, 3)), ValueError, r"lstm: input must be \(T, N, C\).*\(5, 3\).*x\[:, None\]"),
    (lambda: lstm(x=(0, 2, 3)), ValueError, r"lstm: input must be .* at least one time, got \(0, 2, 3\)"),
    (lambda: lstm(x=(5, 2, 4)), ValueError, r"w_ih is \(16, 3\), not \(16, 4\)"),
    (lambda: lstm(w_hh=(16, 5)), ValueError, r"4 hidden numbers w_hh is \(16, 5\), not \(16, 4\)"),
    (lambda: lstm(w_ih=(15, 3), w_hh=(15, 4)), ValueError, r"lstm: .*w_hh is \(15, 4\), not \(12, 3\)"),
    (lambda: lstm(b=(4,)), ValueError, r"b_ih is \(4,\), not \(16,\)"),
    (lambda: lstm(h=(2, 5)), ValueError, r"h0 is \(2, 5\), not \(2, 4\)"),
    (lambda: lstm(c=(3, 4)), ValueError, r"c0 is \(3, 4\), not \(2, 4\)"),
    (lambda: lstm(w_hr=w(5, 3)), ValueError, r"w_hr is \(5, 3\), not \(5, 4\)"),
    (lambda: lstm(peephole=w(4)), ValueError, r"peephole is \(4,\), not \(12,\)"),
    (lambda: lstm(peephole=w(12), forget_gate=False), ValueError, r"variants of their own; choose one"),
    (lambda: lstm(lengths=[0, 5]), ValueError, r"lstm: lengths must be in 1\.\.5, got 0"),
    (lambda: lstm(lengths=[6, 5]), ValueError, r"lstm: lengths must be in 1\.\.5, got 6"),
    (lambda: lstm(lengths=[-1, 5]), ValueError, r"lstm: lengths must be in 1\.\.5, got -1"),
    (lambda: lstm(lengths=[5]), ValueError, r"lstm: lengths must be one per sample, \(2,\), got \(1,\)"),
    (lambda: lstm(lengths=[1.0, 2.0]), TypeError, r"lstm: lengths must be integers, got float"),
    (lambda: lstm(lengths=[[1, 2]]), ValueError, r"one per sample, \(2,\), got \(1, 2\)"),
    (lambda: ops.rnn(w(5, 2, 3), None, w(4, 3), w(4, 4), nonlinearity="gelu"), ValueError, r"'tanh' or"),
    (lambda: ops.rnn(w(5, 2, 3, dtype=np.int64), None, w(4, 3), w(4, 4)), TypeError, r"rnn: input .* real"),
    (lambda: ops.gru(w(5, 2, 3), None, w(12, 3, dtype=np.float64), w(12, 4)), TypeError,
     r"gru: input is float32 but w_ih is float64"),
    (lambda: ops.gru(w(5, 2, 3), w(2, 4, dtype=np.float64), w(12, 3), w(12, 4)), TypeError,
     r"gru: input is float32 but h0 is float64"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[m[:40] for _, _, m in WRONG])
def test_wrong_use_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()
