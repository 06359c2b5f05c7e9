"""The Transformer that translates: counts, torch's parts put together, masks, cached steps, attention."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes.models import Transformer, TransformerLM
from tinygrad_notes.models.attention_maps import recorded_attention
from tinygrad_notes.models.cells import cell_rows
from tinygrad_notes.models.count import parameter_count, undrawn
from tinygrad_notes.models.decoding import beam_search, generate
from tinygrad_notes.nn import functional as F

V, D = 13, 8
SOURCE = np.array([[3, 4, 5, 6, 7], [8, 9, 0, 0, 0], [10, 0, 0, 0, 0]])
TARGET = np.array([[1, 5, 6, 7], [1, 7, 0, 0], [1, 12, 11, 0]])


def small(norm_first=False, **options):
    model = Transformer(V, D, 2, 2, 12, max_len=9, norm_first=norm_first, **options)
    for parameter in model.parameters():
        tg.nn.init.normal_(parameter, std=0.4)
    return model.astype("float64").eval()


def test_counts():
    with undrawn():
        base = Transformer(37_000)
    assert parameter_count(base) == 63_082_496
    assert parameter_count(base) - base.embedding.weight.size == 44_138_496


@pytest.mark.parametrize("norm_first", [False, True])
def test_logits_and_gradients_equal_torchs(norm_first):
    torch = pytest.importorskip("torch")
    ours = small(norm_first)
    y = ours(SOURCE, TARGET)
    smooth = dict(ignore_index=0, label_smoothing=0.1)
    F.cross_entropy(y.reshape(-1, V), TARGET.ravel(), **smooth).backward()
    theirs = twins.transformer(V, D, 2, 2, 12, 0.0, norm_first).double()
    twins.copy_weights(ours, theirs)
    z = theirs(torch.from_numpy(SOURCE), torch.from_numpy(TARGET))
    labels = torch.from_numpy(TARGET.ravel())
    torch.nn.functional.cross_entropy(z.reshape(-1, V), labels, **smooth).backward()
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=1e-12)
    parameters = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        expected = parameters[name].grad.numpy()
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("norm_first", [False, True])
def test_cached_steps_equal_the_whole(norm_first):
    model = small(norm_first)
    whole = model(SOURCE, TARGET).numpy()
    for cuts in ([1, 2, 3], [2]):
        state, parts = model.start(SOURCE), []
        for piece in np.split(TARGET, cuts, axis=1):
            logits, state = model.step(piece, state)
            parts.append(logits.numpy())
        assert state[0] is None  # the memory is not kept beside its keys and values
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=0, atol=1e-12)


def test_greedy_and_beams_equal_the_uncached_forward():
    model = small()
    read = np.ones((3, 1), np.int64)
    for _ in range(5):
        best = model(SOURCE, read).numpy()[:, -1].argmax(axis=1)
        read = np.concatenate([read, best[:, None]], axis=1)
    start = np.ones((3, 1), np.int64)
    assert generate(model.step, start, 5, state=model.start(SOURCE)) == read[:, 1:].tolist()
    for hypotheses, source in zip(
        beam_search(model.step, start, 5, stop=2, beams=3, state=model.start(SOURCE)), SOURCE, strict=True
    ):
        best = hypotheses[0]
        whole = [1, *best.ids, 2][: 6 if len(best.ids) == 5 else None]
        logits = model(source[None], np.array([whole[:-1]])).numpy()[0]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        score = sum(row[i] for row, i in zip(log_p, whole[1:], strict=True))
        assert abs(best.score - score / ((5 + len(whole) - 1) / 6) ** 0.6) < 1e-6


def test_padding_and_what_comes_later_have_no_influence():
    model = small()
    whole = model(SOURCE, TARGET).numpy()
    for row, (source, target) in enumerate(zip(SOURCE, TARGET, strict=True)):
        alone = model(source[None, source > 0], target[None, :2]).numpy()
        np.testing.assert_allclose(alone[0], whole[row, :2], rtol=0, atol=1e-12)
    longer = np.concatenate([SOURCE, np.zeros((3, 3), np.int64)], axis=1)
    np.testing.assert_allclose(model(longer, TARGET).numpy(), whole, rtol=0, atol=1e-12)


def test_multiply_adds_of_a_step_are_those_of_matrices_without_embeddings():
    """Six layers of 4·512² + 2·512·2048 in the encoder, with 4·512² more of them in the decoder."""
    layer, more = 4 * 512**2 + 2 * 512 * 2048, 4 * 512**2
    assert {row.macs for row in cell_rows("Transformer")} == {6 * layer + 6 * (layer + more)}
    plain = {row.variant: row.macs for row in cell_rows("Seq2Seq")}
    assert plain["general"] - plain["dot"] == 128**2 and plain["none"] < plain["dot"] < plain["additive"]


def test_attention_of_every_head_and_layer_is_recorded():
    model = small()
    with recorded_attention(model) as maps:
        recorded = model(SOURCE, TARGET).numpy()
    np.testing.assert_allclose(recorded, model(SOURCE, TARGET).numpy(), rtol=0, atol=1e-12)
    assert {name: m.shape for name, m in maps.items()} == {
        f"{part}.layers.{i}.{kind}": (3, 2, rows, columns)
        for i in range(2)
        for part, kind, rows, columns in (
            ("encoder", "self_attn", 5, 5), ("decoder", "self_attn", 4, 4),
            ("decoder", "multihead_attn", 4, 5),
        )
    }  # fmt: skip
    with pytest.raises(ZeroDivisionError), recorded_attention(model) as later:
        raise ZeroDivisionError
    model(SOURCE, TARGET)
    assert later == {}  # an error ends the recording, too
    for name, weights in maps.items():
        np.testing.assert_allclose(weights.sum(axis=3), 1, atol=1e-12)
        if name == "decoder.layers.0.self_attn":
            assert (np.triu(weights[0, 0], 1) == 0).all()
        elif "multihead" in name:
            assert (weights[1, :, :, 2:] == 0).all()
    assert "forward" not in vars(model.encoder.layers[0].self_attn)


def test_texts_longer_than_the_positions_are_refused():
    model = small()
    with pytest.raises(ValueError, match="the table has 9 places, and 0 to 9 are asked for"):
        model(np.ones((1, 10), np.int64), TARGET[:1])
    with pytest.raises(ValueError, match="at least one place"):
        model(np.ones((1, 0), np.int64), TARGET[:1])


def test_a_language_model_starts_as_gpt2():
    """N(0, 0.02²), and what is added to the sum of the layers by √(2 · layers) less; biases 0."""
    model = TransformerLM(300, width=64, layers=8, heads=2, context=200)
    added = ("self_attn.out_proj.weight", "linear2.weight")
    for name, p in model.named_parameters():
        if p.ndim == 1:
            assert (p.numpy() == (0 if name.endswith("bias") else 1)).all(), name
        else:
            std = 0.02 / 4 if name.endswith(added) else 0.02
            assert p.numpy().std() == pytest.approx(std, rel=0.06), name  # 4,096 draws: one sigma is 1.1 %
            assert abs(p.numpy().mean()) < std / 10, name


def test_padding_is_the_id_that_is_said_to_be_it():
    model = small(padding=7)
    source = np.array([[3, 4, 0, 7, 7], [7, 7, 9, 7, 2]])
    whole = model(source, TARGET[:2]).numpy()
    alone = model(source[:1, :3], TARGET[:1]).numpy()
    np.testing.assert_allclose(alone[0], whole[0], rtol=0, atol=1e-12)
    _, hidden, cache = model.start(source)
    assert hidden.numpy().tolist() == (source == 7).tolist() and cache == ()
    other = small()
    other.load_state_dict(model.state_dict())
    assert np.abs(other(source, TARGET[:2]).numpy()[0] - whole[0]).max() > 1e-8  # there 7 is a word


def test_a_translator_starts_with_its_table_at_1_over_d_and_xavier_matrices():
    model = Transformer(400, 64, 4, 2, 96)
    assert model.embedding.weight.numpy().std() == pytest.approx(1 / 8, rel=0.03)
    for part in (model.encoder, model.decoder):
        for name, p in part.named_parameters():
            if p.ndim == 2:
                bound = (6 / sum(p.shape)) ** 0.5
                assert 0.97 * bound < np.abs(p.numpy()).max() <= bound, name
    assert model.encoder.norm is None and model.decoder.norm is None and model.scale == 8


def test_attention_of_cached_steps_is_recorded():
    """Of the last one: one question, of all the words before; and the states go on as without a recording."""
    model = small()
    whole = model(SOURCE, TARGET).numpy()
    state = model.start(SOURCE)
    with recorded_attention(model) as maps:
        for place in range(2):
            logits, state = model.step(TARGET[:, place : place + 1], state)
    np.testing.assert_allclose(logits.numpy()[:, 0], whole[:, 1], rtol=0, atol=1e-12)
    shapes = {"self_attn": (3, 2, 1, 2), "multihead_attn": (3, 2, 1, 5)}
    assert {k: m.shape for k, m in maps.items()} == {
        f"decoder.layers.{i}.{kind}": shape for i in range(2) for kind, shape in shapes.items()
    }
