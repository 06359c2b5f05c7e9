"""Options, defaults and errors of the networks, and what counts their layers."""

import inspect

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import models, nn
from tinygrad_notes.models.bitmaps import bitmaps
from tinygrad_notes.models.cells import CELLS, SEQUENCES, built, cell_rows
from tinygrad_notes.models.checkpoints import host, layers_of, renamed
from tinygrad_notes.models.count import multiply_adds, parameter_count, undrawn, without_arithmetic
from tinygrad_notes.models.googlenet import VARIANTS, Auxiliary
from tinygrad_notes.models.lenet1998 import PartialConv2d
from tinygrad_notes.models.resnet import Subsample
from tinygrad_notes.models.summary import sample, sample_ids, summary
from tinygrad_notes.models.variants import VARIANTS as FORMS_OF_NETWORKS
from tinygrad_notes.models.variants import variants

LARGE = dict(classes=1000, variant="notes")
DEFAULTS = {
    "BERT": dict(vocabulary=30_522, width=768, layers=12, heads=12, feed_forward=3072, context=512,
                 dropout=0.1, pooler=True, words=True, next_sentence=True),
    "GPT2": dict(vocabulary=50_257, width=768, layers=12, heads=12, context=1024, dropout=0.1),
    "MLP": dict(sizes=(784, 1000, 1000, 10)),
    "VGG": LARGE | dict(depth=16, batch_norm=False, dropout=0.5, hidden=4096),
    "AlexNet": LARGE | dict(dropout=0.5, hidden=4096),
    "CifarResNet": dict(depth=20, classes=10, option="A"),
    "GoogLeNet": LARGE | dict(aux_logits=True, transform_input=False),
    "LeNet5": dict(classes=10, activation="tanh"),
    "RecurrentLM": dict(cell="lstm", width=256, layers=2, dropout=0.0, tied=False),
    "ResNet": LARGE | dict(blocks=(2, 2, 2, 2)),
    "ResNet18": LARGE, "ResNet34": LARGE,
    "Seq2Seq": dict(cell="gru", attention="additive", width=128, embedding=64, layers=1, dropout=0.0,
                    input_feeding=False),
    "SequenceClassifier": dict(vocabulary=None, features=1, cell="lstm", width=128, layers=1, dropout=0.0,
                               bidirectional=False, heads=4, places=512),
    "SimpleCNN": dict(shape=(1, 28, 28), classes=10, channels=(16, 32)),
    "Transformer": dict(width=512, heads=8, layers=6, feed_forward=2048, dropout=0.1, max_len=512,
                        norm_first=False, padding=0),
    "TransformerLM": dict(width=256, layers=4, heads=4, context=256, dropout=0.0, tied=True,
                          feed_forward=None),
    "Word2Vec": dict(dim=100, architecture="skip-gram", context_gradient="code"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_the_published_ones(name):
    parameters = inspect.signature(getattr(models, name)).parameters.values()
    assert {p.name: p.default for p in parameters if p.default is not p.empty} == DEFAULTS[name]


@pytest.mark.parametrize("kind, heads", [(models.BERT, 12), (models.GPT2, 12), (models.Transformer, 8)])
def test_heads_and_dropout_of_the_published_sizes(kind, heads):
    """They change no count of parameters."""
    with undrawn():
        model = kind(9, layers=1)
    assert {m.num_heads for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {heads}
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} - {0.0} == {0.1}
    assert {m.dropout for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {0.1}


def zeros(*shape):
    return np.zeros(shape, np.float32)


IDS = np.array([[1, 2, 3], [4, 0, 2]])


def small_bert(**options):
    return models.BERT(9, 8, 1, 2, 12, 5, **options).eval()


WRONG = {
    "bert, a row": (lambda: small_bert()(IDS[0]), r"BERT: ids must be \(N, T\) .* got \(3,\)"),
    "bert, nothing": (lambda: small_bert()(IDS[:, :0]), r"at least one place, got \(2, 0\)"),
    "bert, no words": (lambda: small_bert(words=False).word_logits(zeros(1, 1, 8)),
                       r"BERT.word_logits: it was made with words=False"),
    "bert, no pooler": (lambda: small_bert(pooler=False, next_sentence=False).pooled(zeros(1, 1, 8)),
                        "BERT.pooled: it was made with pooler=False"),
    "bert, no sentence": (lambda: small_bert(next_sentence=False).next_sentence_logits(zeros(1, 1, 8)),
                          "BERT.next_sentence_logits: it was made with next_sentence=False"),
    "lenet5": (lambda: models.LeNet5(activation="relu"),
               r"LeNet5: activation must be one of \['sigmoid', 'tanh'\], got 'relu'"),
    "mlp": (lambda: models.MLP((784,)), r"MLP: sizes needs an input and an output length, got \(784,\)"),
    "vgg": (lambda: models.VGG(12), r"VGG: depth must be one of \[11, 13, 16, 19\], got 12"),
    "vgg variant": (lambda: models.VGG11(variant="bn"),
                    r"VGG11: variant must be one of \['notes', 'paper', 'torchvision'\], got 'bn'"),
    "cifar, too few": (lambda: models.CifarResNet(2), r"depth must be 6n \+ 2 .* got 2"),
    "cifar, between": (lambda: models.CifarResNet(22), r"depth must be 6n \+ 2 .* got 22"),
    "cifar option": (lambda: models.CifarResNet(option="C"), "one of A, A-centered, B, got 'C'"),
    "recurrent": (lambda: models.RecurrentLM(5, "elman"), r"one of \['rnn', 'lstm', 'gru'\], got 'elman'"),
    "recurrent, a row": (lambda: models.RecurrentLM(5, width=2)(IDS[0]), r"RecurrentLM: ids .* got \(3,\)"),
    "transformer, nothing": (lambda: models.TransformerLM(5, 4, 1, 1)(IDS[:, :0]),
                             r"TransformerLM: ids must be \(N, T\) with at least one place, got \(2, 0\)"),
    "classifier cell": (lambda: models.SequenceClassifier(2, cell="cnn"),
                        r"one of \['rnn', 'lstm', 'gru', 'transformer'\], got 'cnn'"),
    "classifier, ids for numbers": (lambda: models.SequenceClassifier(2, width=2)(IDS),
                                    r"must be numbers \(N, T, features\) with a step, got \(2, 3\)"),
    "classifier, no step": (lambda: models.SequenceClassifier(2, 5, width=2)(IDS[:, :0]),
                            r"must be ids \(N, T\) with a step, got \(2, 0\)"),
    "seq2seq cell": (lambda: models.Seq2Seq(3, 3, "rnn"),
                     r"one of \['gru', 'lstm'\] .* got 'rnn' and 'additive'"),
    "seq2seq width": (lambda: models.Seq2Seq(3, 3, width=5), "width must be even, .* got 5;"),
    "seq2seq source": (lambda: models.Seq2Seq(3, 3, width=4)(IDS[0], IDS),
                       r"source must be \(N, S\) .* got \(3,\)"),
    "seq2seq forcing": (lambda: models.Seq2Seq(3, 3, width=4)(IDS % 3, IDS % 3, forcing=1.5),
                        "forcing .*1.5"),
    "translator source": (lambda: models.Transformer(9, 4, 1, 1, 4)(IDS[0], IDS),
                          r"Transformer: source must be \(N, S\) with at least one place, got \(3,\)"),
    "images": (lambda: models.ResNet18(2)(tg.Tensor(zeros(1, 1, 9, 9))),
               r"ResNet18: images must be \(N, 3, H, W\), got \(1, 1, 9, 9\)"),
    "small images": (lambda: models.AlexNet(2, "torchvision", hidden=2)(tg.Tensor(zeros(1, 3, 70, 62))),
                     "AlexNet: images must be at least 63×63, got 70×62; enlarge them"),
    "vgg size": (lambda: models.VGG11(2, hidden=2)(tg.Tensor(zeros(1, 3, 224, 32))),
                 'got 224×32: .*variant="torchv'),
    "googlenet size": (lambda: models.GoogLeNet(2, "torchvision-5x5")(tg.Tensor(zeros(1, 3, 20, 14))),
                       "GoogLeNet: images must be at least 15×15, got 20×14"),
    "simplecnn": (lambda: models.SimpleCNN((3, 8, 9), channels=(1, 1, 1, 1)),
                  "4 poolings leave nothing of 8×9 images; use larger images or fewer channels"),
    "auxiliary": (lambda: Auxiliary(VARIANTS["paper"], 2, 3)(tg.Tensor(zeros(1, 2, 17, 14))),
                  "the auxiliary classifiers need 4×4 maps, got 5×4; train on images of 224×224"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_value(name):
    run, message = WRONG[name]
    with undrawn(), pytest.raises(ValueError, match=message):
        run()


# ---- networks of images ------------------------------------------------------------------------


def test_lenet5_has_the_activation_that_is_asked_for_behind_its_convolutions_only():
    for name, kind in (("sigmoid", nn.Sigmoid), ("tanh", nn.Tanh)):
        model = models.LeNet5(7, name)
        assert [type(m) for m in model.features] == [nn.Conv2d, kind, nn.AvgPool2d] * 2
        assert [type(m) for m in model.classifier][2::2] == [nn.ReLU, nn.ReLU]
        assert model.classifier[-1].weight.shape == (7, 84)


SHAPES = {
    "vgg": (lambda: models.VGG13(7, hidden=5, dropout=0.2), [(5, 25088), (5, 5), (7, 5)], {0.2}),
    "alexnet": (lambda: models.AlexNet(7, dropout=0.2, hidden=5), [(5, 9216), (5, 5), (7, 5)], {0.2}),
    "torchvision's": (lambda: models.AlexNet(7, "torchvision", 0.2, 5), [(5, 9216), (5, 5), (7, 5)], {0.2}),
    "simplecnn": (lambda: models.SimpleCNN((2, 9, 20), 7, (3, 4, 5)), [(7, 5 * 1 * 2)], set()),
    "mlp": (lambda: models.MLP((6, 5, 4, 3)), [(5, 6), (4, 5), (3, 4)], set()),
    "resnet": (lambda: models.ResNet((1, 1, 1, 1), 7), [(7, 512)], set()),
    "cifar": (lambda: models.CifarResNet(8, 7), [(7, 64)], set()),
    "googlenet": (lambda: models.GoogLeNet(7), [(1024, 2048), (7, 1024)] * 2 + [(7, 1024)], {0.7, 0.4}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_sizes_that_are_asked_for_reach_the_linear_layers(name):
    make, shapes, dropout = SHAPES[name]
    with undrawn():
        model = make()
    assert [m.weight.shape for m in model.modules() if isinstance(m, nn.Linear)] == shapes
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == dropout


def test_an_odd_number_of_new_channels_has_the_larger_half_behind():
    x = tg.Tensor(np.arange(1.0, 19).reshape(1, 2, 3, 3))
    y = Subsample(2, 3, centered=True)(x).numpy()
    assert y.shape == (1, 5, 2, 2) and y.any(axis=(0, 2, 3)).tolist() == [False, True, True, False, False]
    assert y[0, 1].tolist() == [[1, 3], [7, 9]]


def test_blocks_of_every_stage_are_counted_by_themselves():
    with undrawn():
        model = models.ResNet((1, 3, 2, 4), 5, "paper")
    assert [len(getattr(model, f"layer{i}")) for i in (1, 2, 3, 4)] == [1, 3, 2, 4]
    strides = [[block.conv1.stride for block in getattr(model, f"layer{i}")] for i in (1, 2)]
    assert strides == [[(1, 1)], [(2, 2), (1, 1), (1, 1)]]
    assert isinstance(model.layer2[0].downsample, Subsample) and model.layer1[0].downsample is None


def test_googlenet_undoes_imagenets_normalization(monkeypatch):
    with undrawn():
        model = models.GoogLeNet(2, transform_input=True, aux_logits=False).eval()
    seen = []
    forward = model.conv1.forward
    monkeypatch.setattr(model.conv1, "forward", lambda x: (seen.append(x.numpy()), forward(x))[1])
    raw = np.random.default_rng(0).uniform(size=(1, 3, 32, 32))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = (raw - mean[:, None, None]) / deviation[:, None, None]
    model(tg.Tensor(x.astype(np.float32)))
    np.testing.assert_allclose(seen[0], (raw - 0.5) / 0.5, atol=1e-5)


@pytest.mark.parametrize("rubbish", [0.1, 3.0])
def test_the_penalty_of_the_rubbish_class(rubbish):
    scores = tg.Tensor(np.array([[-3.0, -1.0, -2.0], [-1.0, -5.0, -4.0]]))
    rest = [np.log(np.exp(-rubbish) + np.exp(row).sum()) for row in scores.numpy()]
    expected = ((2.0 + rest[0]) + (5.0 + rest[1])) / 2
    loss = models.LeNet1998.loss(scores, np.array([2, 1]), rubbish=rubbish)
    assert loss.item() == pytest.approx(expected, rel=1e-12) and loss.dtype == np.float64
    assert models.LeNet1998.loss(scores, np.array([2, 1]), "mse", rubbish).item() == 3.5


def test_bitmaps_are_the_digits_in_their_order():
    rows = ["".join("#" if v > 0 else "." for v in row) for row in bitmaps().reshape(120, 7)]
    assert rows[12:15] == ["...#...", "..##...", ".###..."] and rows[23] == ".#####."  # 1
    assert rows[84:87] == ["#######", ".....##", ".....##"] and rows[95] == "..##..."  # 7
    assert rows[48:60] == [".....#.", "....##.", "...###.", "..#.##.", ".##.##.", "##..##.", "##..##.",
                           "#######", "....##.", "....##.", "....##.", "....##."]  # fmt: skip


# ---- networks of sequences ---------------------------------------------------------------------


@pytest.mark.parametrize("cell, both", [("lstm", True), ("gru", False), ("transformer", False)])
def test_without_lengths_every_step_counts(cell, both):
    tg.manual_seed(0)
    model = models.SequenceClassifier(4, 9, cell=cell, width=8, bidirectional=both, heads=2)
    whole = model(IDS).numpy()
    np.testing.assert_array_equal(whole, model(IDS, [3, 3]).numpy())
    assert not np.array_equal(whole, model(IDS, [3, 2]).numpy())


@pytest.mark.parametrize("layers, between", [(1, 0.0), (2, 0.3)])
@pytest.mark.parametrize("make", [
    lambda layers: models.RecurrentLM(5, "gru", 4, layers, 0.3).rnn,
    lambda layers: models.SequenceClassifier(2, 5, cell="gru", width=4, layers=layers, dropout=0.3).rnn,
    lambda layers: models.Seq2Seq(3, 3, width=4, layers=layers, dropout=0.3).encoder,
    lambda layers: models.Seq2Seq(3, 3, width=4, layers=layers, dropout=0.3).decoder,
], ids=["language", "classifier", "encoder", "decoder"])  # fmt: skip
def test_dropout_falls_between_layers_where_there_are_two(make, layers, between):
    assert make(layers).dropout == between


class Places(nn.Module):
    """Stands in for dropout: counts its inputs, by shape."""

    def __init__(self):
        self.seen = []

    def forward(self, x):
        self.seen.append(x.shape)
        return x


@pytest.mark.parametrize("make, inputs, seen", [
    (lambda: models.RecurrentLM(9, "rnn", 4, 1), [IDS], [(2, 3, 4), (2, 3, 4)]),
    (lambda: models.SequenceClassifier(2, 9, cell="rnn", width=4), [IDS], [(2, 3, 4), (2, 4)]),
    (lambda: models.SequenceClassifier(2, 9, cell="transformer", width=4), [IDS], [(2, 4)]),
    (lambda: models.Seq2Seq(9, 9, attention="dot", width=4, embedding=6), [IDS, IDS[:, :2]],
     [(2, 3, 6), (2, 2, 6), (2, 2, 4)]),
    (lambda: small_bert(), [IDS], [(2, 3, 8)]),
], ids=["language", "classifier", "classifier, transformer", "seq2seq", "bert"])  # fmt: skip
def test_where_dropout_falls(make, inputs, seen):
    model = make()
    model.dropout = Places()
    model(*inputs)
    assert model.dropout.seen == seen


def test_a_language_model_has_one_table_where_it_is_tied_and_a_feed_forward_part_of_its_size():
    assert models.TransformerLM(5, 4, 1, 1).transformer.layers[0].linear1.weight.shape == (16, 4)
    wide = models.TransformerLM(5, 4, 1, 2, feed_forward=6, tied=False, context=7)
    assert wide.transformer.layers[0].linear1.weight.shape == (6, 4) and wide.context == 7
    assert wide.head.weight is not wide.embedding.weight and wide.head.bias is None
    for tied in (False, True):
        model = models.RecurrentLM(5, "gru", 4, tied=tied)
        assert (model.head.weight is model.embedding.weight) == tied and model.head.bias.shape == (5,)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_carried_state_has_the_same_numbers_and_no_graph(cell):
    model = models.RecurrentLM(9, cell, 4)
    _, state = model(IDS)
    carried = model.carried(state)
    assert len(carried) == (2 if cell == "lstm" else 1) and all(part.requires_grad for part in state)
    for part, other in zip(state, carried, strict=True):
        assert part.shape == (2, 2, 4) and not other.requires_grad  # the samples first
        np.testing.assert_array_equal(part.numpy(), other.numpy())
    reader = models.TransformerLM(9, 4, 1, 1)
    assert reader.carried(reader(IDS)[1]) == ()


def test_berts_inputs_that_are_left_out():
    """Segments are 0 and every place is there; a mask may be of numbers or of truths."""
    tg.manual_seed(0)
    model = small_bert()
    for p in model.parameters():
        nn.init.normal_(p, std=0.5)
    plain = model(IDS).numpy()
    np.testing.assert_array_equal(plain, model(IDS, np.zeros((2, 3), np.int64), np.ones((2, 3))).numpy())
    assert not np.allclose(plain, model(IDS, np.ones((2, 3), np.int64)).numpy())
    mask = np.array([[1, 1, 1], [1, 1, 0]])
    masked = model(IDS, mask=mask).numpy()
    np.testing.assert_array_equal(masked, model(IDS, mask=mask.astype(bool)).numpy())
    np.testing.assert_array_equal(masked[0], plain[0])
    np.testing.assert_allclose(masked[1, :2], model(IDS[1:, :2]).numpy()[0], rtol=1e-5, atol=1e-6)
    h = np.arange(48.0, dtype=np.float32).reshape(2, 3, 8) / 48
    first = h[:, 0] @ model.pooler.weight.numpy().T + model.pooler.bias.numpy()
    np.testing.assert_allclose(model.pooled(tg.Tensor(h)).numpy(), np.tanh(first), rtol=1e-5)


def test_bert_starts_small_and_its_biases_at_0():
    model = models.BERT(300, 64, 1, 4, 128, 200)
    for name, p in model.named_parameters():
        if p.ndim > 1:
            assert p.numpy().std() == pytest.approx(0.02, rel=0.25 if p.size < 1000 else 0.06), name
        else:
            assert (p.numpy() == (1 if name.endswith("weight") else 0)).all(), name


@pytest.mark.parametrize("options", [
    {}, dict(words=False), dict(next_sentence=False), dict(pooler=False, next_sentence=False),
    dict(pooler=False, next_sentence=False, words=False),
])  # fmt: skip
def test_a_checkpoint_of_bert_has_the_parts_that_were_saved(options):
    made = models.BERT(9, 64, 2, 1, 12, 5, **options)
    found = models.BERT.from_state(made.state_dict(), dropout=0.3)
    assert found.state_dict().keys() == made.state_dict().keys()
    assert {m.p for m in found.modules() if isinstance(m, nn.Dropout)} == {0.0, 0.3}
    assert found.positions.dropout.p == 0  # once for the sum, behind its norm
    assert {m.num_heads for m in found.modules() if isinstance(m, nn.MultiheadAttention)} == {1}
    part = {"embedding.weight": made.embedding.weight}
    assert found.load_state_dict(part, strict=False)[0] == [k for k in made.state_dict() if k not in part]
    other = models.BERT.from_state(made.state_dict(), heads=4)
    assert {m.num_heads for m in other.modules() if isinstance(m, nn.MultiheadAttention)} == {4}
    assert (found.pooler is None) == ("pooler" in options) and (found.transform is None) == (
        "words" in options
    )
    assert (found.next_sentence is None) == ("next_sentence" in options)


def test_a_checkpoint_of_gpt2_with_other_heads():
    made = models.GPT2(5, 64, 1, 1, 4)
    found = models.GPT2.from_state(made.state_dict(), heads=4)
    assert found.transformer.layers[0].self_attn.num_heads == 4 and found.context == 4
    assert found.load_state_dict({"embedding.weight": made.embedding.weight}, strict=False)[0] != []


def test_names_of_checkpoints():
    state = {"a.3.w": 1, "b": 2, "a.drop": 3, "xa.3.w": 4}
    names = {r"a\.(\d+)\.(\w+)": r"layer.\1.\2", r"a\.\w+": "", r"layer.*": "never"}
    assert renamed(state, names) == {"layer.3.w": 1, "b": 2, "xa.3.w": 4}
    assert layers_of({"h.0.x": 0, "h.11.x": 0, "h.2": 0, "xh.50.x": 0}, "h.") == 12
    assert layers_of({"h.w": 0}, "h.") == 0
    for value in (tg.Tensor([1.0, 2.0]), np.array([1.0, 2.0]), [1.0, 2.0]):
        assert type(host(value)) is np.ndarray and host(value).tolist() == [1, 2]


# ---- counting ----------------------------------------------------------------------------------

LSTM = 4 * (128 * 256 + 256 * 256)
TWO_WAYS, ENDS, READ = 2 * 3 * (64 * 64 + 64 * 64), 128 * 64, 3 * 128 * (64 + 128)
BETWEEN = 2 * 64 * 64 + 2 * 6 * 64 + 6 * 128 + 64  # embeddings and biases, which multiply nothing
MORE = 3 * 128 * 128  # of a cell that reads 128 numbers more
STACKS = 6 * (4 * 512**2 + 2 * 512 * 2048) + 6 * (8 * 512**2 + 2 * 512 * 2048)
# kind: {form: (multiply-adds, other parameters)}
FORMS = {
    "RNN": {"tanh": (LSTM // 4, 512), "relu": (LSTM // 4, 512)},
    "LSTM": {"torch": (LSTM, 2048), "1997": (LSTM // 4 * 3, 1536), "peephole": (LSTM, 2048 + 3 * 256),
             "projection": (1024 * (128 + 64) + 64 * 256, 2048)},
    "GRU": {"reset after": (LSTM // 4 * 3, 1536), "reset before": (LSTM // 4 * 3, 1536)},
    "Seq2Seq": {
        "none": (TWO_WAYS + READ + ENDS, BETWEEN), "dot": (TWO_WAYS + READ + ENDS + 256 * 128, BETWEEN),
        "general": (TWO_WAYS + READ + ENDS + 256 * 128 + 128**2, BETWEEN),
        "additive": (TWO_WAYS + READ + MORE + ENDS + 256 * 128 + 2 * 128**2, BETWEEN + 128),
        "general, fed": (TWO_WAYS + READ + MORE + ENDS + 256 * 128 + 128**2, BETWEEN),
    },
    "Transformer": {"post-norm": (STACKS, 44_138_496 - STACKS + 64 * 512),
                    "pre-norm": (STACKS, 44_138_496 - STACKS + 64 * 512 + 4 * 512)},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_cells_are_counted(name):
    rows = cell_rows(name)
    assert {row.variant: (row.macs, row.parameters - row.macs) for row in rows} == FORMS[name]
    forms = (CELLS | SEQUENCES)[name]
    assert [(r.variant, r.source, r.differences, r.initialization) for r in rows] == [
        (f.name, f.source, f.differences, f.initialization) for f in forms
    ]
    if name == "RNN":
        assert [model.nonlinearity for model in built(name).values()] == ["tanh", "relu"]
    assert not any(
        p.numpy().any() for model in built(name).values() for p in model.parameters() if p.ndim > 2
    )


def test_rows_of_a_network_tell_what_its_forms_say():
    rows = variants("LeNet5")
    assert [(r.variant, r.source, r.differences, r.initialization) for r in rows] == [
        (v.name, v.source, v.differences, v.initialization) for v in FORMS_OF_NETWORKS["LeNet5"]
    ]
    message = r"variants: MLP has one form; those with several are LeNet5, AlexNet, VGG11, "
    with pytest.raises(ValueError, match=message):
        variants("MLP")


class Fails(nn.Module):
    def __init__(self):
        self.layer, self.pool = nn.Linear(3, 2), nn.ReLU()

    def forward(self, x):
        raise ZeroDivisionError(self.pool(self.layer(x)).shape)


@pytest.mark.parametrize("count", [multiply_adds, summary])
@pytest.mark.parametrize("training", [False, True])
def test_counting_leaves_the_model_as_it_was(count, training):
    """Also where the model fails, and one in evaluation stays so."""
    good, bad = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).train(training), Fails().train(training)
    count(good, (3,))
    with pytest.raises(ZeroDivisionError):
        count(bad, (3,))
    for model in (good, bad):
        assert all(m.training == training and "forward" not in vars(m) for m in model.modules())


@pytest.mark.parametrize("layer, shape, macs", [
    (nn.Conv2d(2, 3, (3, 5), padding="same"), (3, 6, 7), 2 * 3 * 15 * 42),
    (nn.Conv2d(2, 3, (3, 5), padding="valid"), (3, 4, 3), 2 * 3 * 15 * 12),
    (PartialConv2d([(0,), (0, 1), (1,)], 3), (3, 4, 5), 4 * 9 * 20),
    (nn.Linear(7, 4), (2, 6, 4), 7 * 4 * 12),
])  # fmt: skip
def test_layers_without_arithmetic(layer, shape, macs):
    x = tg.ones((1, 2, 6, 7))
    y, found = without_arithmetic(layer, x)
    assert y.shape == (1, *shape) == layer(x).shape and found == macs
    assert not y.numpy().any() and y.dtype == np.float32
    assert without_arithmetic(layer, tg.ones((3, 2, 6, 7)))[1] == 3 * macs


def test_frozen_and_shared_parameters_are_not_counted_twice():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(2, 5))
    model[1].weight = model[0].weight
    model[2].bias.requires_grad = False
    assert parameter_count(model) == 6 + 2 + 2 + 10


def test_samples_are_shapes_arrays_or_tuples_of_them():
    assert sample((2, 3)).shape == (1, 2, 3) and sample([4]).dtype == np.float32
    assert sample(np.array([[3, 1]])).numpy().tolist() == [[3, 1]]
    pair = sample((np.ones((1, 2)), np.zeros((1, 3))))
    assert [type(t) for t in pair] == [tg.Tensor] * 2 and [t.shape for t in pair] == [(1, 2), (1, 3)]
    assert [(a.shape, a.dtype) for a in sample_ids(5, 2)] == [((1, 5), np.int64), ((1, 2), np.int64)]
