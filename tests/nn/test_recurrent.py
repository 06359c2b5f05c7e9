"""Recurrent layers and cells: torch's numbers, keys and start, states handed on, refusals."""

import itertools

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, nn
from tinygrad_notes.nn.utils.rnn import length_mask, pad_sequence
from tinygrad_notes.ops.sequence import last_step, masked_mean

T, N, C, H = 5, 4, 3, 6
LENGTHS = [3, 5, 1, 4]

# Every pair of settings of two options is in one of these rows: kind, layers, both directions, bias, batch
# first, lengths, dtype.
ROWS = [
    ("RNN", 1, False, True, False, True, "float64"), ("RNN", 2, True, False, True, False, "float32"),
    ("RNN", 1, True, True, True, True, "float32"), ("relu", 2, False, True, False, False, "float64"),
    ("relu", 1, True, False, False, True, "float32"), ("GRU", 1, False, False, False, False, "float32"),
    ("GRU", 2, True, True, True, True, "float64"), ("GRU", 1, True, True, False, False, "float64"),
    ("LSTM", 1, False, True, False, False, "float64"), ("LSTM", 2, True, True, False, True, "float32"),
    ("LSTM", 1, True, False, True, True, "float64"), ("LSTM", 2, False, False, True, False, "float32"),
    ("projected", 1, False, True, True, True, "float32"),
    ("projected", 2, True, False, False, True, "float64"),
]  # fmt: skip

without_onednn = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def layers(kind, count, both, bias, batch_first):
    """Ours and torch's, with the same weights."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    options = {"num_layers": count, "bias": bias, "batch_first": batch_first, "bidirectional": both}
    options |= {"relu": {"nonlinearity": "relu"}, "projected": {"proj_size": 2}}.get(kind, {})
    name = {"relu": "RNN", "projected": "LSTM"}.get(kind, kind)
    ours, theirs = getattr(nn, name)(C, H, **options), getattr(torch.nn, name)(C, H, **options)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})  # strictly,
    assert ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()}) == (
        [],
        [],
    )  # both ways
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours, theirs


def forward_of_torch(layer, x, state, lengths):
    import torch

    if lengths is None:
        y, last = layer(x, state)
    else:
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=False)
        y, last = layer(packed, state)
        y, _ = rnn.pad_packed_sequence(y, layer.batch_first, total_length=T)
    return y, *(last if isinstance(last, tuple) else (last,))


def forward_of_ours(layer, x, state, lengths):
    y, last = layer(x, state, lengths)
    return y, *(last if isinstance(last, tuple) else (last,))


@without_onednn
@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(map(str, row)))
def test_torch_agrees_and_so_do_five_steps_of_adam(row):
    kind, count, both, bias, batch_first, padded, dtype = row
    ours, theirs = layers(kind, count, both, bias, batch_first)
    import torch

    ours, theirs = ours.astype(dtype), theirs.to(getattr(torch, dtype))
    rng, lengths = np.random.default_rng(0), LENGTHS if padded else None
    several = (count * (1 + both), N)
    shapes = [(N, T, C) if batch_first else (T, N, C), (*several, 2 if kind == "projected" else H)]
    shapes += [(*several, H)] * (kind in ("LSTM", "projected"))
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]
    mine = [tg.Tensor(a, requires_grad=True) for a in arrays]
    yours = [torch.tensor(a, requires_grad=True) for a in arrays]
    states = [(s[1], s[2]) if len(s) == 3 else s[1] for s in (mine, yours)]
    optimizers = tg.optim.Adam(ours.parameters(), 1e-2), torch.optim.Adam(theirs.parameters(), 1e-2)
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    weights = None
    for _ in range(5):
        outputs = forward_of_ours(ours, mine[0], states[0], lengths)
        expected = forward_of_torch(theirs, yours[0], states[1], lengths)
        if weights is None:
            weights = [rng.standard_normal(tuple(y.shape)).astype(dtype) for y in expected]
        close(outputs, expected, tolerance)
        for optimizer in optimizers:
            optimizer.zero_grad()
        total = [(y * tg.Tensor(c)).sum() for y, c in zip(outputs, weights, strict=True)]
        sum(total[1:], total[0]).backward()
        sum((y * torch.tensor(c)).sum() for y, c in zip(expected, weights, strict=True)).backward()
        pairs = [*zip(mine, yours, strict=True), *zip(ours.parameters(), theirs.parameters(), strict=True)]
        close([a.grad for a, _ in pairs], [b.grad for _, b in pairs], tolerance)
        for optimizer in optimizers:
            optimizer.step()
    close(ours.parameters(), theirs.parameters(), tolerance)


def close(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        e = b.detach().numpy()
        assert a.shape == e.shape and a.dtype == e.dtype
        np.testing.assert_allclose(a.detach().numpy(), e, atol=tolerance * max(1, np.abs(e).max(initial=0)))


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [(), (N,)], ids=["one", "batch"])
def test_cells_are_torchs(name, bias, batch):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = getattr(nn, name)(C, H, bias), getattr(torch.nn, name)(C, H, bias)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    x, h, c = (rng.standard_normal((*batch, width)).astype(np.float32) for width in (C, H, H))
    for state in (None, (h, c) if name == "LSTMCell" else h):
        given = state if state is None or isinstance(state, np.ndarray) else tuple(map(torch.tensor, state))
        given = torch.tensor(given) if isinstance(given, np.ndarray) else given
        y, e = ours(x, state), theirs(torch.tensor(x), given)
        pairs = [(y, e)] if name != "LSTMCell" else list(zip(y, e, strict=True))
        close([a for a, _ in pairs], [b for _, b in pairs], 1e-6)


@pytest.mark.parametrize(("name", "options"), [
    ("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("GRU", {"reset_after": False}),
    ("LSTM", {}), ("LSTM", {"variant": "1997"}), ("LSTM", {"variant": "peephole"}),
])  # fmt: skip
def test_step_by_step_equals_the_whole(name, options):
    """Generation with cached states: by the layer, and by the cell with its weights."""
    layer, cell = getattr(nn, name)(C, H, **options), getattr(nn, f"{name}Cell")(C, H, **options)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((T, N, C)).astype(np.float32)
    whole, last = layer(x)
    state = cached = None
    for t in range(T):
        y, state = layer(x[t : t + 1], state)
        cached = cell(x[t], cached)
        h = cached[0] if name == "LSTM" else cached
        for found in (y[0], h):
            np.testing.assert_allclose(found.detach().numpy(), whole[t].detach().numpy(), atol=1e-6)
    ends = [(a, b) for a, b in zip(state, last, strict=True)] if name == "LSTM" else [(state, last)]
    for a, b in ends:
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


@without_onednn
def test_one_sample_without_a_batch_axis():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    for kind, batch_first in itertools.product(("GRU", "projected"), (False, True)):
        ours, theirs = layers(kind, 2, True, True, batch_first)
        x = np.random.default_rng(0).standard_normal((T, C)).astype(np.float32)
        outputs, expected = forward_of_ours(ours, x, None, None), theirs(torch.tensor(x))
        last = expected[1] if isinstance(expected[1], tuple) else (expected[1],)
        close(outputs, (expected[0], *last), 1e-6)
        again = forward_of_ours(ours, x, outputs[1] if kind == "GRU" else outputs[1:], None)
        close(again[:1], theirs(torch.tensor(x), expected[1])[:1], 1e-6)


def test_forward_and_reverse_directions_meet_at_each_samples_own_end():
    layer = nn.GRU(C, H, bidirectional=True)
    x = np.random.default_rng(0).standard_normal((T, N, C)).astype(np.float32)
    y, last = (v.detach().numpy() for v in layer(x, lengths=LENGTHS))
    for n, end in enumerate(LENGTHS):
        np.testing.assert_array_equal(last[0, n], y[end - 1, n, :H])
        np.testing.assert_array_equal(last[1, n], y[0, n, H:])
        assert (y[end:, n] == 0).all()


def test_lengths_in_any_form():
    layer = nn.RNN(C, H)
    x = np.random.default_rng(0).standard_normal((T, N, C)).astype(np.float32)
    expected = layer(x, lengths=LENGTHS)[0].detach().numpy()
    for lengths in (tuple(LENGTHS), np.array(LENGTHS, np.uint8), tg.Tensor(LENGTHS)):
        np.testing.assert_array_equal(layer(x, lengths=lengths)[0].detach().numpy(), expected)
    np.testing.assert_array_equal(layer(x, lengths=[T] * N)[0].detach().numpy(), layer(x)[0].detach().numpy())


OUT_OF_RANGE = [T + 3, 0, 2, -4]  # of four samples of T steps
WITHIN = [T, 1, 2, 1]


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_out_of_range(layer, bidirectional):
    """An error; on a device, which nobody waits for, the whole sequence, or no step."""
    layer = layer(C, H, bidirectional=bidirectional)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((T, 4, C)).astype(np.float32), requires_grad=True)
    h0 = tg.Tensor(np.random.default_rng(1).standard_normal((1 + bidirectional, 4, H)).astype(np.float32))
    start = (h0, 2 * h0) if isinstance(layer, nn.LSTM) else h0
    with pytest.raises(ValueError, match=rf"lengths must be in 1\.\.{T}, got {T + 3}"):
        layer(x, start, lengths=OUT_OF_RANGE)  # on the host they are looked at
    if backend.BACKEND != "cupy":
        with pytest.raises(ValueError, match=rf"lengths must be in 1\.\.{T}, got {T + 3}"):
            layer(x, start, lengths=tg.Tensor(OUT_OF_RANGE))
        return
    found, state = layer(x, start, lengths=tg.Tensor(OUT_OF_RANGE))
    expected, ends = layer(x, start, lengths=tg.Tensor(WITHIN))
    for sample in (0, 2):
        np.testing.assert_array_equal(found[:, sample].numpy(), expected[:, sample].numpy())
    pairs = zip(state, ends, start, strict=True) if isinstance(state, tuple) else [(state, ends, start)]
    for own, end, first in pairs:
        np.testing.assert_array_equal(own[:, [0, 2]].numpy(), end[:, [0, 2]].numpy())
        np.testing.assert_array_equal(own[:, [1, 3]].numpy(), first[:, [1, 3]].numpy())
    assert not found[:, [1, 3]].numpy().any()
    (g,) = tg.grad(found.sum(), [x])
    assert np.isfinite(g.numpy()).all() and not g[:, [1, 3]].numpy().any()


def test_dropout_between_layers_in_training_only():
    layer = nn.LSTM(C, H, 2, dropout=0.5)
    x = np.ones((T, N, C), np.float32)
    first, second = (layer(x)[0].detach().numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0
    layer.eval()
    first, second = (layer(x)[0].detach().numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    layer = nn.LSTM(C, H, 2, dropout=1.0)
    last = layer(x)[0].detach().numpy()
    np.testing.assert_array_equal(last, layer(x * 2)[0].detach().numpy())
    assert last.all()  # the output itself is not dropped
    with pytest.warns(UserWarning, match="LSTM: dropout acts between layers, and there is one"):
        nn.LSTM(C, H, dropout=0.5)


@pytest.mark.parametrize(("name", "count"), [("RNN", 98_816), ("LSTM", 395_264), ("GRU", 296_448)])
def test_numbers_of_parameters(name, count):
    assert sum(p.size for p in getattr(nn, name)(128, 256).parameters()) == count


@pytest.mark.parametrize("layer", [nn.GRU(C, 16, 2, bidirectional=True), nn.LSTM(C, 16, proj_size=5),
                                   nn.RNNCell(C, 16), nn.LSTMCell(C, 16, variant="peephole")])  # fmt: skip
def test_parameters_start_uniformly_below_one_over_the_root_of_h(layer):
    """Also those of the input, whose fan-in is another: torch's choice."""
    values = np.concatenate([p.numpy().ravel() for p in layer.parameters()])
    assert np.abs(values).max() <= 0.25 < 1.02 * np.abs(values).max()
    assert abs(values.std() / (0.25 / np.sqrt(3)) - 1) < 0.1


def test_a_forget_bias_is_counted_once():
    for layer in (nn.LSTM(C, H, 2, bidirectional=True, forget_bias=1.0), nn.LSTMCell(C, H, forget_bias=1.0)):
        biases = [p.numpy() for name, p in layer.named_parameters() if name.startswith("bias")]
        for b_ih, b_hh in zip(biases[::2], biases[1::2], strict=True):
            np.testing.assert_array_equal((b_ih + b_hh)[H : 2 * H], 1)
            assert (b_ih[:H] != 0).all() and (b_hh[2 * H :] != 0).all()


def test_orthogonal_and_xavier_starts_are_of_each_gate():
    state = nn.GRU(C, H, initialization="orthogonal").state_dict()
    for block in np.split(state["weight_hh_l0"], 3):
        np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-6)
    for start in ("orthogonal", "xavier"):
        state = nn.LSTM(C, H, initialization=start).state_dict()
        bound = np.sqrt(6 / (C + H))
        assert 0.9 * bound < np.abs(state["weight_ih_l0"]).max() <= bound
        assert not state["bias_ih_l0"].any() and not state["bias_hh_l0"].any()
        peephole = nn.LSTMCell(C, H, variant="peephole", initialization=start).weight_peephole.numpy()
        assert 0.7 / np.sqrt(H) < np.abs(peephole).max() <= 1 / np.sqrt(H)
    assert 0.9 * np.sqrt(6 / (2 * H)) < np.abs(state["weight_hh_l0"]).max() <= np.sqrt(6 / (2 * H))


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (3, 2, 2)])
def test_orthogonal_rows_or_columns(shape):
    w = nn.init.orthogonal_(tg.zeros(shape, "float64"), gain=2.0).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_settings_stand_in_the_text_of_a_layer():
    """By which two variants of a network are told apart."""
    assert repr(nn.LSTM(3, 4)) == "LSTM(3, 4)"
    assert repr(nn.LSTM(3, 4, variant="1997")) == "LSTM(3, 4, variant=1997)"
    assert repr(nn.GRU(3, 4, 2, bidirectional=True, reset_after=False)) == (
        "GRU(3, 4, num_layers=2, bidirectional=True, reset_after=False)"
    )
    assert repr(nn.RNNCell(3, 4, False, "relu")) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"


def x(*shape, dtype=np.float32):
    return tg.Tensor(np.zeros(shape, dtype))


WRONG = [
    (lambda: nn.LSTM(3, 4)(x(5, 2, 4)), ValueError, r"LSTM: input must be \(T, N, C\).*; got \(5, 2, 4\)"),
    (lambda: nn.GRU(3, 4, batch_first=True)(x(3)), ValueError, r"GRU: input must be \(N, T, C\).*got \(3,\)"),
    (lambda: nn.LSTM(3, 4)(x(0, 2, 3)), ValueError, r"lstm: input must be .* at least one time"),
    (lambda: nn.LSTM(3, 4)(x(5, 2, 3), x(1, 2, 4)), TypeError, r"LSTM: state must be h and c in a tuple"),
    (lambda: nn.LSTM(3, 4)(x(5, 2, 3), (x(1, 2, 4), x(2, 4))), ValueError,
     r"state c .*\(1, 2, 4\), got \(2, 4\)"),
    (lambda: nn.LSTM(3, 4, proj_size=2)(x(5, 2, 3), (x(1, 2, 4), x(1, 2, 4))), ValueError,
     r"state h .* = \(1, 2, 2\), got \(1, 2, 4\)"),
    (lambda: nn.GRU(3, 4, 2)(x(5, 3), x(1, 4)), ValueError, r"GRU: state h .*\(2, 4\), got \(1, 4\)"),
    (lambda: nn.GRU(3, 4)(x(5, 3), lengths=[5]), ValueError, r"GRU: lengths are those of a batch"),
    (lambda: nn.GRU(3, 4)(x(5, 2, 3), lengths=[6, 1]), ValueError,
     r"gru: lengths must be in 1\.\.5, got 6"),
    (lambda: nn.GRU(3, 4)(x(5, 2, 3, dtype=np.float64)), TypeError,
     r"gru: input is float64 but w_ih is float32"),
    (lambda: nn.GRUCell(3, 4)(x(2, 4)), ValueError, r"GRUCell: input must be \(N, C\).*got \(2, 4\)"),
    (lambda: nn.LSTMCell(3, 4)(x(2, 3), (x(2, 4), x(3, 4))), ValueError,
     r"LSTMCell: state c must be \(2, 4\)"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, r"LSTM: proj_size must be below hidden_size = 4"),
    (lambda: nn.LSTM(3, 4, proj_size=2, variant="1997"), ValueError, r"do not go together"),
    (lambda: nn.LSTM(3, 4, variant="2000"), ValueError, r"variant must be None, '1997' or 'peephole'"),
    (lambda: nn.LSTM(3, 4, variant="1997", forget_bias=1), ValueError, r"forget_bias needs a forget gate"),
    (lambda: nn.LSTM(3, 4, bias=False, forget_bias=1), ValueError, r"forget_bias needs .* bias=True"),
    (lambda: nn.RNN(3, 4, nonlinearity="gelu"), ValueError, r"RNN: nonlinearity must be 'tanh' or 'relu'"),
    (lambda: nn.RNN(3, 0), ValueError, r"RNN: hidden_size must be a positive integer, got 0"),
    (lambda: nn.RNN(3, 4, 2, dropout=1.5), ValueError, r"RNN: dropout is a probability, got 1\.5"),
    (lambda: nn.RNN(3, 4, initialization="he"), ValueError, r"RNN: initialization must be one of"),
    (lambda: pad_sequence([]), ValueError, r"pad_sequence: needs sequences"),
    (lambda: pad_sequence([x(2, 3), x(2, 4)]), ValueError, r"pad_sequence: .*\(2, 3\), \(2, 4\)"),
    (lambda: pad_sequence([x(2), x()]), ValueError, r"alike but for L, got \[\(2,\), \(\)\]$"),
    (lambda: pad_sequence([x()]), ValueError, r"alike but for L, got \[\(\)\]$"),
    (lambda: pad_sequence([x(2)], padding_side="up"), ValueError, "right. or .left., got .up.$"),
    (lambda: pad_sequence([x(2)], padding_side="top"), ValueError, r"padding_side must be 'right' or 'left'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[m[:40] for _, _, m in WRONG])
def test_wrong_use_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (2,), (2, 1)])
def test_pad_sequence_is_torchs_and_gradients_flow(rest, batch_first, side):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((length, *rest)) for length in (3, 1, 0, 4)]
    ours = [tg.Tensor(a, requires_grad=True) for a in arrays]
    y = pad_sequence(ours, batch_first, -1.5, side)
    expected = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, arrays)), batch_first, -1.5, side)
    np.testing.assert_array_equal(y.detach().numpy(), expected.numpy())
    (y * y).sum().backward()
    for leaf, a in zip(ours, arrays, strict=True):
        np.testing.assert_array_equal(leaf.grad.numpy(), 2 * a)


def test_pad_sequence_of_ids_stays_whole():
    ids = pad_sequence([np.array([4, 5, 6]), np.array([7])], batch_first=True, padding_value=0)
    assert ids.dtype == np.int64 and ids.numpy().tolist() == [[4, 5, 6], [7, 0, 0]]


def test_sequences_are_padded_with_zeros_at_the_end_and_time_comes_first():
    given = tg.Tensor([1.0, 2.0])
    padded = pad_sequence([given, [3.0], np.array([4.0, 5.0, 6.0])])
    assert padded.numpy().tolist() == [[1, 3, 4], [2, 0, 5], [0, 0, 6]]
    alone = pad_sequence([given])  # a copy, also where nothing is missing
    alone.data[...] = 9
    assert alone.shape == (2, 1) and given.numpy().tolist() == [1, 2]


def test_length_mask():
    assert length_mask([2, 3]).numpy().tolist() == [[True, True], [True, True], [False, True]]
    assert length_mask(tg.Tensor([2, 1]), 3, batch_first=True).numpy().tolist() == [[1, 1, 0], [1, 0, 0]]
    assert length_mask([2, 3]).dtype == np.bool_
    for lengths in ([2, -1], tg.Tensor([2, -1])):  # fetched, so they are looked at
        with pytest.raises(ValueError, match=r"length_mask: lengths must be in 0\.\.T, got -1"):
            length_mask(lengths)


def test_masks_of_lengths_out_of_range():
    """An error; on a device, which nobody waits for, all or nothing."""
    given = tg.Tensor([5, -2, 1])
    x = np.arange(9.0).reshape(3, 3, 1)
    score = nn.DotAttention()
    for call in (
        lambda lengths: length_mask(lengths, 3),
        lambda lengths: masked_mean(x, lengths=lengths),
        lambda lengths: score(x[:, 0], x, lengths=lengths)[1],
    ):
        with pytest.raises(ValueError, match=r"lengths must be in 0\.\.3, got 5"):
            call([5, -2, 1])
        if backend.BACKEND == "cupy":
            np.testing.assert_array_equal(call(given).numpy(), call([3, 0, 1]).numpy())
        else:
            with pytest.raises(ValueError, match=r"lengths must be in 0\.\.3, got 5"):
                call(given)
    with pytest.raises(ValueError, match=r"last_step: lengths must be in 1\.\.3, got 5"):
        last_step(x, given)  # fetched
