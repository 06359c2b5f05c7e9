"""GPT-2 and BERT: random weights of the `transformers` package's models give the same logits here."""

import importlib
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import save_file

import tinygrad_notes as tg
from tinygrad_notes.models import BERT, GPT2
from tinygrad_notes.models.count import parameter_count, undrawn
from tinygrad_notes.models.decoding import generate

torch = pytest.importorskip("torch", reason="the models of transformers need torch")
if importlib.util.find_spec("transformers") is None:
    pytest.skip("transformers is not installed", allow_module_level=True)

IDS = np.random.default_rng(0).integers(0, 50, (3, 9))
SEGMENTS = (np.arange(9) > 4).astype(np.int64)[None].repeat(3, axis=0)
MASK = (np.arange(9) < np.array([[9], [5], [7]])).astype(np.int64)


@pytest.fixture(scope="module")
def transformers():
    """The package. It imports torchvision, whose compiled operations may not fit the installed torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision._meta_registrations", types.ModuleType("empty"))
        yield importlib.import_module("transformers")


def drawn(model):
    """In evaluation mode, with weights and biases in which nothing is 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.normal_(float(p.ndim == 1 and name.endswith("weight")), 0.2, generator=generator)
    return model.eval()


def gpt2(transformers):
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=12, n_embd=128, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return drawn(transformers.GPT2LMHeadModel(config))


def bert(transformers, kind):
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
        max_position_embeddings=12,
    )  # fmt: skip
    return drawn(getattr(transformers, kind)(config))


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    assert np.abs(ours.numpy() - theirs).max() < 1e-4 * max(1, np.abs(theirs).max())


def test_gpt2_from_every_form_of_its_checkpoints(transformers, tmp_path):
    theirs = gpt2(transformers)
    expected = theirs(torch.from_numpy(IDS)).logits
    theirs.save_pretrained(tmp_path)
    state = tg.load(tmp_path / "model.safetensors")
    published = {
        name.removeprefix("transformer."): value for name, value in state.items()
    }  # as the first files
    published |= {"h.0.attn.bias": np.tril(np.ones((1, 1, 12, 12), np.float32)), "h.0.attn.masked_bias": -1e4}
    for form in (state, published, theirs.state_dict()):
        ours = GPT2.from_state(form).eval()
        close(ours(IDS)[0], expected)
    assert GPT2(50, 128, 3, 2, 12).load_state_dict(ours.state_dict()) == ([], [])
    made = theirs.generate(
        torch.from_numpy(IDS[:, :4]), attention_mask=torch.ones(3, 4), max_new_tokens=6, do_sample=False,
        pad_token_id=0, eos_token_id=None,
    )  # fmt: skip
    assert generate(ours, IDS[:, :4], 6) == made[:, 4:].tolist()


@pytest.mark.parametrize("kind", ["BertForPreTraining", "BertForMaskedLM", "BertModel"])
def test_bert_from_every_form_of_its_checkpoints(transformers, kind):
    theirs = bert(transformers, kind)
    arrays = dict(input_ids=IDS, token_type_ids=SEGMENTS, attention_mask=MASK)
    y = theirs(**{name: torch.from_numpy(array) for name, array in arrays.items()})
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}
    old = {n.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): state[n] for n in state}
    for form in (state, old):
        ours = BERT.from_state(form).eval()
        h = ours(IDS, SEGMENTS, MASK)
        if kind == "BertModel":
            real = MASK.astype(bool)
            close(h[real], y.last_hidden_state[torch.from_numpy(real)])
            close(ours.pooled(h), y.pooler_output)
        else:
            logits = y.logits if kind == "BertForMaskedLM" else y.prediction_logits
            real = MASK.astype(bool)
            close(ours.word_logits(h)[real], logits[torch.from_numpy(real)])
        if kind == "BertForPreTraining":
            close(ours.next_sentence_logits(h), y.seq_relationship_logits)
    plain = theirs(torch.from_numpy(IDS))
    close(ours(IDS) if kind == "BertModel" else ours.word_logits(ours(IDS)), plain[0])


def test_counts_of_the_published_sizes():
    with undrawn():
        assert parameter_count(GPT2()) == 124_439_808
        assert parameter_count(BERT(words=False, next_sentence=False)) == 109_482_240
        assert parameter_count(BERT()) == 110_106_428


def test_checkpoints_that_do_not_fit_are_refused(transformers, tmp_path):
    state = {name: value.numpy() for name, value in gpt2(transformers).state_dict().items()}
    with pytest.raises(ValueError, match=r"lm_head.weight is not wte.weight"):
        GPT2.from_state({**state, "lm_head.weight": state["lm_head.weight"] + 1})
    with pytest.raises(KeyError, match=r"no checkpoint of GPT-2: wte.weight or wpe.weight is missing"):
        GPT2.from_state({"bert.pooler.dense.bias": np.zeros(3)})
    with pytest.raises(
        KeyError, match=r"missing \['transformer.layers.1.linear1.bias'\], unexpected \['h.1.x'\]"
    ):
        GPT2.from_state({k.replace("h.1.mlp.c_fc.bias", "h.1.x"): v for k, v in state.items()})
    with pytest.raises(KeyError, match="no checkpoint of BERT"):
        BERT.from_state(state)
    with pytest.raises(ValueError, match="made with words=False"):
        BERT(50, 128, 1, 2, 96, words=False).word_logits(np.zeros((1, 1, 128), np.float32))
    with pytest.raises(ValueError, match="next_sentence needs the pooler"):
        BERT(50, 128, 1, 2, pooler=False)
    save_file({"wte.weight": state["transformer.wte.weight"]}, tmp_path / "part.safetensors")
    with pytest.raises(KeyError, match="is missing"):
        GPT2.from_state(tg.load(tmp_path / "part.safetensors"))


def test_a_checkpoint_of_ten_layers_and_more_and_another_dropout():
    made = GPT2(5, 64, 12, 1, 4)
    found = GPT2.from_state(made.state_dict(), dropout=0.25)
    assert len(found.transformer.layers) == 12
    assert {m.p for m in found.modules() if isinstance(m, tg.nn.Dropout)} == {0.25}
    same = zip(found.state_dict().values(), made.state_dict().values(), strict=True)
    assert all(np.array_equal(a, b) for a, b in same)


def test_bert_divides_by_nearly_the_deviation_alone():
    """Its ε is 1e-12 (the published code's), and not LayerNorm's 1e-5."""
    model = BERT(9, 8, 2, 2, 16, 4)
    assert [m.eps for m in model.modules() if isinstance(m, tg.nn.LayerNorm)] == [1e-12] * 6
