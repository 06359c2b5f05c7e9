"""The options of each task: their defaults, the last values that are allowed, and which go together."""

import dataclasses

import pytest

from tinygrad_notes.tasks import MODELS, find_task
from tinygrad_notes.train.options import RunError, options_of
from tinygrad_notes.train.settings import Settings

WORDS, NONE = ["anything"], [None]  # of options without bounds: what is allowed
FLAG = ([True, False], [0, 1, "yes", None])
# {option: (default, the values at the edge that are allowed, those beside them that are refused)}
COMMON = {
    "validation": (0.1, [0, 0.999, "a/path", None], [-0.001, 1.0, ""]),
    "epochs": (10, [1], [0, 1.0, None]),
    "patience": (None, [1, None], [0]),
    "batch_size": (128, [1], [0, None]),
    "optimizer": ("adam", ["sgd", "adam", "adamw"], ["rmsprop", None]),
    "lr": (1e-3, [1e-9, 5], [0, None]),
    "momentum": (0.9, [0, 2.0], [-0.1, None]),
    "weight_decay": (0.0, [0, 2.0], [-0.1, None]),
    "schedule": ("cosine", ["cosine", "step", "resnet", "resnet-warmup", "googlenet", "linear", "constant"],
                 ["noam", None]),
    "clip_norm": (None, [1e-9, None], [0]),
    "seed": (0, [0], [-1, None]),
    "limit": (None, [1, None], [0]),
}  # fmt: skip
ERRORS = ("raise", ["raise", "replace"], ["skip", None])
CHANCE = ([0, 0.999], [-0.1, 1.0, None])
PAIRS = {
    "pairs": (None, NONE, [""]), "reverse": (False, *FLAG), "errors": ERRORS,
    "longest": (100, [2], [1, None]),
    "width": (128, [2], [1, None]), "dropout": (0.1, *CHANCE), "label_smoothing": (0.0, *CHANCE),
}  # fmt: skip
OPTIONS = {
    "images": COMMON | {
        "data": ("digits", WORDS, ["", None]), "variant": (None, ["notes", None], ["other"]),
        "shift": (0, [0], [-1, None]), "flip": (False, *FLAG), "lighting": (0.0, [0, 3.0], [-0.1, None]),
        "resize": (None, [1, None], [0]), "size": (None, [1, None], [0]),
        "on_error": ("raise", ["raise", "skip"], ["replace", None]),
    },
    "language": COMMON | {
        "data": ("topics", WORDS, ["", None]), "text": (None, NONE, [""]), "errors": ERRORS,
        "cell": ("lstm", ["rnn", "lstm", "gru", "transformer"], ["elman", None]),
        "width": (256, [1], [0, None]), "layers": (None, [1, None], [0]), "heads": (4, [1], [0, None]),
        "dropout": (0.1, *CHANCE), "tied": (None, [True, False, None], [1]), "places": (64, [1], [0, None]),
        "tokens": (2000, [257], [256, None]), "sample": (120, [0], [-1, None]),
    },
    "words": COMMON | {
        "data": ("topics", WORDS, ["", None]), "text": (None, NONE, [""]), "errors": ERRORS,
        "sentences": ("marks", ["marks", "lines"], ["words", None]), "min_count": (5, [1], [0, None]),
        "architecture": ("skip-gram", ["skip-gram", "cbow"], ["sg", None]), "dim": (100, [1], [0, None]),
        "window": (5, [1], [0, None]), "negative": (5, [0], [-1, None]), "power": (0.75, [0], [-0.1, None]),
        "sample": (1e-3, [0], [-1e-3, None]), "formula": ("code", ["code", "paper"], ["book", None]),
        "context_gradient": ("code", ["code", "exact"], ["paper", None]),
        "batch_size": (None, [1, None], [0]), "optimizer": ("sgd", ["sgd"], ["adam", None]),
        "clip_norm": (40.0, [1e-9, None], [0]),
    },
    "seq2seq": COMMON | PAIRS | {
        "data": ("dates", WORDS, ["", None]), "cell": ("gru", ["gru", "lstm"], ["rnn", None]),
        "attention": ("additive", ["none", "dot", "general", "additive"], ["cross", None]),
        "embedding": (32, [1], [0, None]), "layers": (1, [1], [0, None]), "input_feeding": (False, *FLAG),
        "forcing": (1.0, [0, 1], [-0.1, 1.001, None]),
    },
    "translation": COMMON | PAIRS | {
        "data": ("tatoeba", WORDS, ["", None]), "lr": (None, [1e-9, None], [0]),
        "schedule": ("noam", ["noam", *COMMON["schedule"][1]], ["step2", None]),
        "warmup": (200, [1], [0, None]), "batch_tokens": (1000, [1], [0, None]),
        "tokens": (2000, [260], [259, None]), "heads": (4, [1, 128], [0, 3, None]),
        "layers": (3, [1], [0, None]), "feed_forward": (512, [1], [0, None]), "norm_first": (False, *FLAG),
        "width": (128, [4], [1, 6, None]),
    },
    "labels": COMMON | {
        "data": ("surnames", WORDS, ["", None]), "labels": (None, NONE, [""]), "errors": ERRORS,
        "cell": ("lstm", ["rnn", "lstm", "gru", "transformer"], ["elman", None]),
        "bidirectional": (False, *FLAG), "width": (128, [1], [0, None]), "layers": (1, [1], [0, None]),
        "heads": (4, [1], [0, None]), "dropout": (0.2, *CHANCE), "places": (512, [1], [0, None]),
    },
    "tables": COMMON | {
        "data": ("penguins", WORDS, ["", None]), "target": (None, ["a", None], [""]),
        "goal": (None, ["classes", "number", None], ["numbers"]),
        "test": (0.2, [0.001, 0.999, None], [0, 1.0]),
        "hidden": ("64", ["none", "1", "64,64"], ["0", "64,", ",64", "a", "64;64", "-1", "1.5", "", None]),
        "loss": (None, ["mse", "half-mse", "l1", "huber", None], ["l2"]),
        "leave_out": (None, ["a,b", None], [""]),
        "missing": ("median", ["median", "mean", "most-frequent", "drop"], ["mode", None]),
        "was_missing": (False, *FLAG), "keep_duplicates": (False, *FLAG), "keep_constant": (False, *FLAG),
        "outliers": ("report", ["report", "clip", "drop"], ["keep", None]),
        "outlier_rule": ("iqr", ["iqr", "z-score"], ["z", None]),
        "normalization": ("standard", ["standard", "min-max", "robust", "none"], ["minmax", None]),
        "decimal_comma": (False, *FLAG),
    },
}  # fmt: skip


def cases():
    return [(task, name) for task, options in OPTIONS.items() for name in options]


@pytest.mark.parametrize("task", OPTIONS)
def test_every_option_has_its_line_here(task):
    assert set(OPTIONS) == set(MODELS)
    assert set(options_of(find_task(task).Settings)) == set(OPTIONS[task])


@pytest.mark.parametrize(("task", "name"), cases())
def test_defaults_and_the_edges_of_what_is_allowed(task, name):
    declared = find_task(task).Settings
    default, allowed, refused = OPTIONS[task][name]
    (model, *_) = find_task(task).models
    found = getattr(declared(model), name)
    assert found == default and type(found) is type(default)
    for value in allowed:
        chosen = declared(model, **{name: value})
        also = declared.also is not None and name == declared.also[0]
        assert getattr(chosen, name) == (None if also else value)
    for value in refused:
        with pytest.raises(RunError, match=rf"\b({name}|data)\b"):
            declared(model, **{name: value})


# ---- options that go together, and those that do not ---------------------------------------------

# (task, model, options, and what is said of it, or None where they are fine)
TOGETHER = [
    ("labels", "classify", {"cell": "transformer", "width": 30}, "heads = 4 must divide width = 30"),
    ("labels", "classify", {"cell": "transformer", "width": 30, "heads": 5}, None),
    ("labels", "classify", {"cell": "gru", "width": 30}, None),
    ("labels", "classify", {"cell": "gru", "bidirectional": True}, None),
    ("labels", "classify", {"cell": "transformer", "bidirectional": True}, "looks both ways"),
    ("language", "charlm", {"cell": "transformer", "width": 30}, "heads = 4 must divide width = 30"),
    ("language", "charlm", {"cell": "transformer", "width": 30, "heads": 5}, None),
    ("language", "charlm", {"cell": "lstm", "width": 30}, None),
    ("translation", "translate", {"width": 30}, "heads = 4 must divide width = 30"),
    ("translation", "translate", {"width": 30, "heads": 5}, None),
    ("seq2seq", "seq2seq", {"width": 30}, None),
    ("seq2seq", "seq2seq", {"width": 31}, "width must be even"),
    ("seq2seq", "seq2seq", {"attention": "none"}, None),
    ("seq2seq", "seq2seq", {"attention": "dot", "input_feeding": True}, None),
    ("seq2seq", "seq2seq", {"attention": "none", "input_feeding": True}, "needs an attention"),
    ("images", "resnet20", {"variant": "B"}, None),
    ("images", "resnet20", {"variant": "D"}, "unknown variant 'D' of resnet20; choose from A, A-centered, B"),
    ("images", "lenet5", {"variant": "paper"}, None),
    ("images", "mlp", {"variant": "paper"}, "unknown variant 'paper' of mlp; choose from notes"),
    ("images", "googlenet", {"variant": "torchvision-5x5"}, None),
    ("images", "vgg11", {"variant": "torchvision-5x5"}, "unknown variant"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "model", "options", "message"), TOGETHER)
def test_options_that_go_together(task, model, options, message):
    task = find_task(task)
    if message is None:
        settings = task.settings(model, **options)
        assert {name: getattr(settings, name) for name in options} == options
        return
    with pytest.raises(RunError, match=message):
        task.settings(model, **options)


SGD, ADAM = {"optimizer": "sgd"}, {"optimizer": "adam"}
GIVEN = [
    ("images", "mlp", {"momentum": 0.5} | SGD, None),
    ("images", "resnet20", {"momentum": 0.5}, None),
    ("images", "mlp", {"momentum": 0.5}, "--momentum is of sgd, and mlp is trained with adam: add"),
    ("images", "mlp", {"momentum": 0.5, "optimizer": "adamw"}, "trained with adamw"),
    ("images", "resnet20", {"momentum": 0.5} | ADAM, "resnet20 is trained with adam"),
    ("images", "mlp", {"patience": 3}, None),
    ("images", "mlp", {"patience": 3, "validation": "a/path"}, None),
    ("images", "mlp", {"patience": 3, "validation": None}, "--patience needs a validation part to judge by"),
    ("images", "mlp", {"patience": 3, "validation": 0}, "--patience needs .*, or add --validation 0.1"),
    ("images", "mlp", {"validation": None}, None),
    ("images", "mlp", {"on_error": "skip", "data": "a/path"}, None),
    ("images", "mlp", {"on_error": "skip"}, "--on-error is for images in files; digits has none: leave"),
    ("images", "mlp", {"on_error": "raise", "data": "mnist"}, "mnist has none"),
    ("language", "charlm", {"heads": 2}, "--heads is of a transformer, not of lstm: add --cell transformer"),
    ("language", "charlm", {"heads": 2, "cell": "transformer"}, None),
    ("language", "charlm", {"places": 9}, None),
    ("language", "charlm", {"tokens": 300}, "--tokens is of tokenlm; charlm reads characters"),
    ("language", "tokenlm", {"tokens": 300}, None),
    ("language", "charlm", {"text": "a"}, None),
    ("language", "charlm", {"data": "a"}, None),
    ("language", "charlm", {"text": "a", "data": "b"}, "--text and --data both name the text: leave one out"),
    ("language", "charlm", {"momentum": 0.5}, "--momentum is of sgd, and charlm"),
    ("labels", "classify", {"heads": 2}, "--heads is of a transformer, not of lstm: add --cell transformer"),
    ("labels", "classify", {"heads": 2, "cell": "transformer"}, None),
    ("labels", "classify", {"places": 9, "cell": "gru"}, "--places is of a transformer, not of gru"),
    ("labels", "classify", {"places": 9, "cell": "transformer"}, None),
    ("labels", "classify", {"labels": "a"}, None),
    ("labels", "classify", {"labels": "a", "data": "b"}, "--labels and --data both name the file"),
    ("labels", "classify", {"momentum": 0.5}, "--momentum is of sgd, and classify"),
    ("words", "word2vec", {"momentum": 0.5}, "--momentum moves all weights"),
    ("words", "word2vec", {"weight_decay": 0.1}, "--weight-decay moves all weights; word2vec moves the rows"),
    ("words", "word2vec", {"context_gradient": "exact"}, "is of cbow: add --architecture cbow"),
    ("words", "word2vec", {"context_gradient": "exact", "architecture": "cbow"}, None),
    ("words", "word2vec", {"power": 1.0}, None),
    ("words", "word2vec", {"power": 1.0, "negative": 0}, "--power is of noise, and --negative 0 draws none"),
    ("words", "word2vec", {"negative": 0}, None),
    ("words", "word2vec", {"text": "a", "data": "b"}, "--text and --data both name the text"),
    ("words", "word2vec", {"text": "a", "clip_norm": None, "optimizer": "sgd", "batch_size": 3}, None),
    ("seq2seq", "seq2seq", {"pairs": "a"}, None),
    ("seq2seq", "seq2seq", {"pairs": "a", "data": "b"}, "--pairs and --data both name the pairs"),
    ("seq2seq", "seq2seq", {"batch_size": 3, "momentum": 0.5} | SGD, None),
    ("translation", "translate", {"pairs": "a", "data": "b"}, "--pairs and --data both name the pairs"),
    ("translation", "translate", {"batch_size": 3}, "as --batch-tokens fit: leave out --batch-size"),
    ("translation", "translate", {"batch_tokens": 30, "warmup": 3}, None),
    ("translation", "translate", {"warmup": 3, "schedule": "noam"}, None),
    ("translation", "translate", {"warmup": 3, "schedule": "linear"}, "of the schedule noam, not of linear"),
    ("translation", "translate", {"schedule": "linear"}, None),
    ("tables", "mlp", {"momentum": 0.5}, "--momentum is of sgd, and mlp is trained with adamw"),
    ("tables", "mlp", {"momentum": 0.5} | SGD, None),
    ("tables", "mlp", {"patience": 3, "validation": None}, "--patience needs a validation part"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "model", "given", "message"), GIVEN)
def test_options_that_are_given_have_an_effect(task, model, given, message):
    """Nothing is said of those that are not given, and have the same value."""
    settings = find_task(task).settings(model, **given)
    settings.check_given(())
    if message is None:
        settings.check_given(given)
        return
    with pytest.raises(RunError, match=message):
        settings.check_given(given)


# ---- what the settings become ------------------------------------------------------------------------


def test_what_is_given_takes_the_place_of_what_the_model_has():
    task = find_task("images")
    plain, chosen = task.settings("lenet5"), task.settings("lenet5", lr=0.5, epochs=1)
    assert (plain.epochs, plain.lr, plain.shift) == (20, 3e-3, 2)
    assert (chosen.epochs, chosen.lr, chosen.shift) == (1, 0.5, 2)
    with pytest.raises(RunError, match="unknown model 'vgg'; choose from mlp, simplecnn, lenet5"):
        task.settings("vgg")
    with pytest.raises(RunError, match="model must be a word, got 5"):
        Settings(5)
    assert [field.name for field in dataclasses.fields(Settings)] == ["model", "data", *COMMON]
    assert Settings("any").data == "none"


@pytest.mark.parametrize(
    ("hidden", "layers", "widths"),
    [("none", [], ()), ("8", ["8"], (8,)), ("8,16,4", ["8", "16", "4"], (8, 16, 4))],
)
def test_hidden_layers_of_a_table(hidden, layers, widths):
    settings = find_task("tables").settings("mlp", hidden=hidden)
    assert (settings.hidden_layers, settings.widths) == (layers, widths)


@pytest.mark.parametrize(("leave_out", "names"), [(None, []), ("a", ["a"]), ("a, b ,c d", ["a", "b", "c d"])])
def test_columns_that_are_left_out(leave_out, names):
    assert find_task("tables").settings("mlp", leave_out=leave_out).left_out == names


OF_COMMANDS = {  # of eval, of predict: {option: (default, allowed, refused)}
    "images": ({"ten_crop": (False, [True], [1]), "on_error": (None, ["raise", "skip", None], ["x"])}, {}),
    "language": ({}, {}),
    "labels": ({}, {}),
    "tables": ({}, {}),
    "words": ({"evaluate": (None, ["a", None], [""])}, {"count": (8, [1], [0, None])}),
    "seq2seq": ({"beams": (1, [1, 2], [0]), "length_penalty": (0.6, [0, 2.0], [-0.1])},) * 2,
    "translation": ({"beams": (1, [1, 2], [0]), "length_penalty": (0.6, [0, 2.0], [-0.1])},) * 2,
}


@pytest.mark.parametrize("task", OF_COMMANDS)
def test_options_of_eval_and_predict(task):
    task = find_task(task)
    for declared, table in zip((task.Testing, task.Predicting), OF_COMMANDS[task.name], strict=True):
        found = options_of(declared)
        assert {name: one.default for name, one in found.items()} == {n: row[0] for n, row in table.items()}
        for name, (_, allowed, refused) in table.items():
            assert all(map(found[name].allows, allowed)) and not any(map(found[name].allows, refused))


DATA = {  # what is of the kind of each task, besides a file or a folder
    "images": (["digits", "mnist"], ["penguins", "topics", "nowhere", "FILE"], ["FOLDER"]),
    "language": (["topics"], ["surnames", "nowhere", "FOLDER"], ["FILE"]),
    "words": (["topics"], ["surnames", "nowhere", "FOLDER"], ["FILE"]),
    "seq2seq": (["dates", "tatoeba"], ["topics", "nowhere", "FOLDER"], ["FILE"]),
    "translation": (["dates", "tatoeba"], ["topics", "nowhere", "FOLDER"], ["FILE"]),
    "labels": (["surnames"], ["topics", "FILE", "FOLDER"], []),
    "tables": (["penguins"], ["digits", "FOLDER", "nowhere"], ["TABLE"]),
}


@pytest.mark.parametrize("name", DATA)
def test_what_data_a_task_takes(name, tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.csv").touch()
    places = {"FILE": tmp_path / "a.txt", "FOLDER": tmp_path, "TABLE": tmp_path / "a.csv"}
    named, others, more = DATA[name]
    task = find_task(name)
    assert set(named) <= set(task.datasets)
    assert [word for word in (*named, *more, *others) if task.takes(str(places.get(word, word)))] == [
        *named, *more]  # fmt: skip
