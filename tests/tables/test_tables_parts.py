"""From a table to its parts and their facts, and what is said of them, on tables of a few rows."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.data import DataError
from tinygrad_notes.data.tables import Table
from tinygrad_notes.data.tables.table import column_of
from tinygrad_notes.nn import functional as F
from tinygrad_notes.tasks.tables import TASK, parts
from tinygrad_notes.tasks.tables.network import TableMLP
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.task import Parts


@pytest.fixture
def load(monkeypatch):
    """`load(a=..., t=...)`: the parts of a table with these columns, t being the target."""
    tables = {}
    monkeypatch.setattr(parts, "read_table", lambda path, comma: tables[path])

    def made(options=None, own=None, facts=None, **columns):
        for name, found in {"t.csv": columns, "own.csv": own or {}}.items():
            columns = {key: column_of([str(v) for v in values]) for key, values in found.items()}
            tables[name] = Table(columns, name)
        chosen = {"data": "t.csv", "target": "t"} | (options or {})
        return TASK.load(TASK.settings("mlp", **chosen), facts)

    return made


def named(count, classes):
    """`count` words, of `classes` different ones in turns."""
    return [f"w{i % classes}" for i in range(count)]


def report(found):
    return [line for line in found.facts["report"] if line.startswith(("t:", "duplicates"))]


# ---- the target --------------------------------------------------------------------------------------

PAIR = ["x", "y"] * 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": None}, "--target must say which column is to be predicted; t.csv has a, b, t"),
        ({"target": "u"}, "t.csv: there is no column 'u' to predict; there are a, b, t"),
        ({"leave_out": "t"}, "--leave-out names t, which is the target; leave it out there"),
        ({"leave_out": "a,t"}, "--leave-out names t, which is the target; leave it out there"),
        ({"leave_out": "c"}, "t.csv: no column 'c'; there are a, b, t"),
        ({"loss": "mse"}, r"--loss is of numbers, and t is classes: leave it out \(or: --goal number\)"),
        ({"goal": "number"}, "t.csv: the target 't' is words, such as 'x', and no number"),
    ],
)
def test_a_target_or_columns_that_are_not_there(load, options, message):
    with pytest.raises((RunError, DataError), match=f"^{message}$"):
        load(options, a=range(24), b=range(0, 48, 2), t=PAIR)


def test_columns_that_are_left_out_are_no_inputs(load):
    columns = dict(a=range(24), b=range(0, 48, 2), c=np.arange(24) ** 2, t=PAIR)
    assert load({}, **columns).facts["inputs"] == ["a", "b", "c"]
    assert load({"leave_out": "a, c"}, **columns).facts["inputs"] == ["b"]


@pytest.mark.parametrize(
    ("values", "goal", "message"),
    [
        (["5"] * 8, None, "the target 't' is '5' in all 8 rows, so there is nothing to tell apart"),
        (["x"] * 8, None, "the target 't' is 'x' in all 8 rows, so there is nothing to tell apart"),
        (named(11, 6), None, "the target 't' has 6 different values in 11 rows: too many to be classes$"),
        (list(range(6)) * 2 + [1], "classes", None),
        (list(range(6)) + [1] * 5, "classes",
         "6 different values in 11 rows: too many to be classes; --goal number takes it as a quantity"),
        (named(12, 6), None, None),
        (named(10, 6), None, None),
    ],
)  # fmt: skip
def test_a_target_that_is_no_class(values, goal, message):
    """Up to ten rows, each may be one of its own; of more of them each class needs two."""
    table = Table({"t": column_of([str(v) for v in values])}, "t.csv")
    settings = TASK.settings("mlp", target="t", goal=goal)
    if message is None:
        assert parts._labels(table, settings).tolist() == [str(v) for v in values]
        return
    with pytest.raises(DataError, match=message):
        parts._labels(table, settings)


@pytest.mark.parametrize(
    ("values", "goal", "classes"),
    [
        (PAIR, None, ["x", "y"]),
        (PAIR, "classes", ["x", "y"]),
        ([2, 10, 1] * 8, None, None),
        ([2, 10, 1] * 8, "number", None),
        ([2, 10, 1] * 8, "classes", ["1", "2", "10"]),
        ([0.5, 2, -1] * 8, "classes", ["-1", "0.5", "2"]),
        (["b", "B", "a"] * 8, None, ["B", "a", "b"]),
    ],
)
def test_how_a_target_is_taken(load, values, goal, classes):
    found = load({"goal": goal, "test": 0.25, "validation": 0.25}, a=range(24), t=values)
    assert found.facts.get("classes") == classes and found.facts["target"] == "t"
    if classes is None:
        assert found.facts["loss"] == "mse" and found.train.targets.shape == (len(found.train), 1)
        assert found.train.targets.dtype == np.float32
        train = found.train.targets[:, 0] * found.facts["std"] + found.facts["mean"]
        assert found.train.targets.mean() == pytest.approx(0, abs=1e-6)
        assert found.train.targets.std() == pytest.approx(1, rel=1e-6)
        assert set(np.round(train, 4).tolist()) == set(values)
    else:
        assert found.train.targets.dtype == np.int64 and set(found.train.targets) == set(range(len(classes)))


@pytest.mark.parametrize(
    ("values", "goal", "said"),
    [
        ([1, 2, 3] * 16, None, ["t: 3 different whole numbers; --goal classes tells them apart instead"]),
        (
            list(range(10)) * 6,
            None,
            ["t: 10 different whole numbers; --goal classes tells them apart instead"],
        ),
        ([1, 2, 3] * 16, "number", []),
        ([1, 2, 3.5] * 16, None, []),
        (list(range(11)) * 6, None, []),
    ],
)
def test_whole_numbers_may_be_classes(load, values, goal, said):
    assert report(load({"goal": goal}, a=np.arange(len(values)) ** 2, t=values)) == said


def test_a_number_without_deviation_in_the_training_part_is_not_divided(load):
    """Where --limit leaves equal ones."""
    found = load({"limit": 1, "keep_constant": True}, a=range(40), t=range(40))
    assert found.facts["std"] == 1.0 and found.train.targets.tolist() == [[0.0]]


# ---- rows --------------------------------------------------------------------------------------------


def test_rows_without_a_target_are_left_out_and_told(load):
    columns = dict(a=range(24), t=["x", "y", "", "x"] * 6)
    found = load({}, **columns)
    assert report(found) == ["t: 6 of 24 rows left out, which have no target"]
    assert sum(map(len, found.named().values())) == 18
    assert report(load({}, a=range(24), t=PAIR)) == []
    with pytest.raises(DataError, match=r"t\.csv: the target 't' has no value in any of the 24 rows"):
        load({}, a=range(24), t=[""] * 24)


def test_rows_that_stand_twice(load):
    columns = dict(a=[i // 2 for i in range(48)], b=range(48), t=[w for w in PAIR for _ in (0, 1)])
    assert report(load({}, **columns)) == []
    found = load({"leave_out": "b"}, **columns)  # rows are compared without the columns left out
    assert report(found) == ["duplicates: 24 of 48 rows left out"]
    assert sum(map(len, found.named().values())) == 24 and found.facts["keep_duplicates"] is False
    kept = load({"leave_out": "b", "keep_duplicates": True}, **columns)
    assert report(kept) == [] and sum(map(len, kept.named().values())) == 48
    del columns["b"]
    again = load({"keep_duplicates": True}, facts=found.facts, **columns)  # as the run did
    assert sum(map(len, again.named().values())) == 24 and again.validation is not None
    other = load({}, facts=load({"keep_duplicates": True}, **columns).facts, **columns)
    assert sum(map(len, other.named().values())) == 48


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"validation": 0.25, "test": 0.2}, {"training": 24, "validation": 8, "test": 8}),
        ({"validation": None, "test": 0.2}, {"training": 32, "test": 8}),
        ({"validation": 0, "test": 0.5}, {"training": 20, "test": 20}),
        ({"validation": 0.25, "test": None}, {"training": 30, "validation": 10}),
        ({"validation": None, "test": None}, {"training": 40}),
        ({"validation": 0.25, "test": 0.2, "limit": 6}, {"training": 6, "validation": 6, "test": 6}),
        ({"validation": "own.csv", "test": 0.2}, {"training": 32, "validation": 10, "test": 8}),
        ({"validation": "own.csv", "test": 0.2, "limit": 6}, {"training": 6, "validation": 6, "test": 6}),
    ],
)
@pytest.mark.parametrize("target", ["words", "numbers"])
def test_sizes_of_the_parts(load, options, sizes, target):
    values = {"words": ["x", "y"] * 20, "numbers": np.arange(40) / 7}[target]
    own = dict(a=range(10), t=[*values[:10:2], *values[1:10:2]])
    found = load(options, own=own, a=range(40), t=values)
    assert {name: len(part) for name, part in found.named().items()} == sizes
    for part in found.named().values():  # both classes, or small and large numbers, in each
        share = part.targets.mean() if target == "words" else (part.targets > 0).mean()
        assert 0.1 < share < 0.9 or options.get("validation") == "own.csv"
        if target == "words":
            assert share == 0.5


def test_a_validation_of_ones_own_keeps_its_order(load):
    own = dict(a=[3, 1, 2], t=["y", "x", "x"])
    found = load({"validation": "own.csv", "normalization": "none"}, own=own, a=range(24), t=PAIR)
    assert found.validation.inputs.tolist() == [[3], [1], [2]]
    assert found.validation.targets.tolist() == [1, 0, 0]
    with pytest.raises(DataError, match=r"own\.csv: there is no column 't' to predict"):
        load({"validation": "own.csv"}, own=dict(a=[1, 2]), a=range(24), t=PAIR)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (2, {}, "t.csv: 2 rows leave none for the validation part; do without it by --validation none"),
        (
            3,
            {"validation": None, "test": 0.1},
            "3 rows leave none for the test part; do without it by --test",
        ),
        (3, {"validation": None, "test": None}, None),
        (2, {"validation": None, "test": 0.9}, "no row is left for the training part"),
    ],
)
def test_parts_without_a_row(load, count, options, message):
    columns = dict(a=range(count), t=PAIR[:count])
    if message is None:
        assert len(load(options, **columns).train) == count
        return
    with pytest.raises(DataError, match=message):
        load(options, **columns)


def test_another_table_is_a_test_part_as_a_whole(load):
    facts = load({}, a=range(24), t=PAIR).facts
    own, other = (load({}, facts=facts, a=a, t=PAIR) for a in (range(24), range(1, 25)))
    assert own.facts is other.facts is facts
    assert {name: len(part) for name, part in own.named().items()} == {
        "training": 15,
        "validation": 4,
        "test": 5,
    }
    assert other.validation is None and len(other.train) == len(other.test) == 24


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["x", "z"], r"has 'z', which is none of the 2 classes of the training part \(x, y\)"),
        (["x", "y"], None),
    ],
)
def test_targets_of_another_table(load, values, told):
    facts = load({}, a=range(24), t=PAIR).facts
    if told is None:
        assert load({}, facts=facts, a=[1, 2], t=values).test.targets.tolist() == [0, 1]
        return
    with pytest.raises(DataError, match=f"t.csv: the target t {told}"):
        load({}, facts=facts, a=[1, 2], t=values)


@pytest.mark.parametrize(("count", "shown"), [(5, "w0, w1, w2, w3, w4"), (6, "w0, w1, w2, w3, w4, ...")])
def test_five_classes_are_shown(load, count, shown):
    facts = load({}, a=range(60), t=named(60, count)).facts
    with pytest.raises(DataError, match=rf"none of the {count} classes of the training part \({shown}\)$"):
        load({}, facts=facts, a=[1, 2], t=["x", "w1"])


def test_a_number_that_is_words_elsewhere(load):
    facts = load({}, a=range(24), t=range(24)).facts
    for values in (["x", "y"], ["1", "inf"]):
        with pytest.raises(DataError, match=r"t\.csv: the target t must be finite numbers"):
            load({}, facts=facts, a=[1, 2], t=values)
    found = load({}, facts=facts, a=[1, 2], t=[3, 5]).test.targets * facts["std"] + facts["mean"]
    np.testing.assert_allclose(found, [[3], [5]], rtol=1e-5)


def test_a_fingerprint_is_of_inputs_and_targets():
    x, y = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.arange(3)
    first = parts.Rows(x, y).fingerprint()
    assert first == parts.Rows(np.asfortranarray(x), y.copy(), ["said"]).fingerprint()
    others = [parts.Rows(x.reshape(2, 3), y), parts.Rows(x[::-1], y), parts.Rows(x, y[::-1])]
    assert len({first, *(rows.fingerprint() for rows in others)}) == 4
    inputs, targets = parts.Rows(x, y)[np.array([2, 0])]
    assert inputs.tolist() == [[4, 5], [0, 1]] and targets.tolist() == [2, 0]


# ---- the task ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [None, "mse", "half-mse", "l1", "huber"])
def test_the_loss_of_a_number_is_the_one_that_is_asked_for(load, loss):
    facts = load({"loss": loss}, a=range(24), t=range(24)).facts
    assert facts["loss"] == (loss or "mse")
    output, target = tg.Tensor(np.array([[3.0], [0.5]])), tg.Tensor(np.zeros((2, 1)))
    expected = {"mse": 9.25 / 2, "half-mse": 9.25 / 4, "l1": 1.75, "huber": (2.5 + 0.125) / 2}
    assert TableMLP(1, (), facts).loss(output, target).item() == pytest.approx(expected[facts["loss"]])


def test_a_network_has_an_output_for_each_class_or_one(load):
    for values, outputs in ((PAIR, 2), (range(24), 1)):
        facts = load({}, a=range(24), b=np.arange(24) ** 2, t=values).facts
        model = TASK.build(TASK.settings("mlp", hidden="7,5"), facts)
        assert [tuple(p.shape) for p in model.parameters()][::2] == [(7, 2), (5, 7), (outputs, 5)]
        assert (model.classes, model.loss is F.cross_entropy) == ((2, True) if outputs == 2 else (0, False))
        assert (model.mean, model.unit) == (facts.get("mean", 0.0), facts.get("std", 1.0))
        linear = TASK.build(TASK.settings("mlp", hidden="none"), facts)
        assert [tuple(p.shape) for p in linear.parameters()] == [(outputs, 2), (outputs,)]
        assert TASK.sample(None, facts) == ((2,),)


def test_batches_of_a_training_are_shuffled(load):
    found = load({"test": None, "validation": None}, a=range(40), t=["x", "y"] * 20)
    settings = TASK.settings("mlp", batch_size=16)
    for training, sizes in ((True, [16, 16, 8]), (False, [40])):
        batches = list(TASK.batches(settings, found.facts, found.train, training))
        assert [len(x) for x, _ in batches] == sizes
        rows = np.concatenate([x.numpy() for x, _ in batches])
        assert np.array_equal(rows, found.train.inputs) == (not training)
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(found.train.inputs, axis=0))


class Given:
    """A model that says the numbers it is given."""

    classes, unit, mean, loss = 0, 10.0, 100.0, staticmethod(F.mse_loss)

    def __call__(self, inputs):
        return inputs


def test_scores_of_numbers_are_in_their_own_unit():
    batch = tg.Tensor(np.array([[1.0], [0.0]])), tg.Tensor(np.array([[0.5], [-1.0]]))
    score = TASK.score(Given(), batch, training=False)
    assert score.loss.item() == pytest.approx(1.25 / 2)
    assert {name: value.item() for name, value in score.sums.items()} == {"squared": 125, "absolute": 15}
    assert {name: value.numpy().tolist() for name, value in score.each.items()} == {
        "predicted": [[110], [100]], "labels": [[105], [90]]}  # fmt: skip


def test_scores_of_classes():
    model = Given()
    model.classes, model.loss = 3, F.cross_entropy
    batch = tg.Tensor(np.array([[1.0, 2, 0], [3, 0, 0], [0, 0, 1]])), tg.Tensor(np.array([1, 2, 2]))
    score = TASK.score(model, batch, training=False)
    assert {k: v.item() for k, v in score.sums.items()} == {"correct": 2}
    assert {name: value.numpy().tolist() for name, value in score.each.items()} == {
        "predicted": [1, 0, 2], "labels": [1, 2, 2]}  # fmt: skip
    assert TASK.figures(0.5, 3, {"correct": 2.0}) == {"loss": 0.5, "accuracy": 2 / 3}


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_what_is_predicted_of_rows(load, monkeypatch, kind):
    columns = dict(a=range(24), t=PAIR if kind == "classes" else range(24))
    found = load({"missing": "drop"}, **columns)
    model, facts = TASK.build(TASK.settings("mlp", hidden="none"), found.facts), found.facts
    model.layers[1].weight.data = np.full((2 if kind == "classes" else 1, 1), 0.0, np.float32)
    model.layers[1].bias.data = np.array([0.0, np.log(3)] if kind == "classes" else [0.5], np.float32)
    table = Table({"a": column_of(["1", "", "3"])}, "new.csv")
    monkeypatch.setattr("tinygrad_notes.tasks.tables.task.read_table", lambda *_: table)
    monkeypatch.setattr("tinygrad_notes.tasks.tables.task.holds_table", lambda name: name.endswith(".csv"))
    outcome = TASK.predict(TASK.settings("mlp"), facts, model, ["new.csv", "a=5", "a="], None)
    assert outcome.text.splitlines() == ["new.csv: 1 of 3 rows left out, as they lack a value",
                                         "predict: 1 of 1 rows left out, as they lack a value"]  # fmt: skip
    names = ["new.csv, row 1", "new.csv, row 3", "a=5"]
    if kind == "classes":
        assert (list(outcome.columns), outcome.left) == (["input", "class", "probability"], 2)
        assert outcome.rows == [[name, "y", "75.0 %"] for name in names]
        said = [{"input": name, "class": "y", "probability": pytest.approx(0.75)} for name in names]
    else:
        assert (list(outcome.columns), outcome.left) == (["input", "t"], 1)
        value = 0.5 * facts["std"] + facts["mean"]
        assert outcome.rows == [[name, f"{value:.5g}"] for name in names]
        said = [{"input": name, "t": pytest.approx(value)} for name in names]
    assert outcome.details == {"predictions": said} and outcome.figures == {}


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_what_is_announced(load, tmp_path, kind):
    """The sizes, the report, and what is to be told of the parts that are not learned from."""
    words = ["p", "q"] * 12
    columns = dict(a=range(24), b=words, t=["x", "y", *PAIR[2:]] if kind == "classes" else range(24))
    own = dict(a=[1, 2, 3], b=["p", "r", "s"], t=["x", "y", "x"] if kind == "classes" else [1, 2, 3])
    found = load({"validation": "own.csv"}, own=own, **columns)
    head, *lines = TASK.announce(tmp_path, found)
    what = "2 classes" if kind == "classes" else "a number, t"
    assert (
        head
        == f"19 training, 3 validation and 5 test rows of {len(found.facts['inputs'])} inputs, for {what}"
    )
    assert lines[:-1] == [f"  {line}" for line in found.facts["report"]]
    assert lines[-1] == "  own.csv: b has words that the training had not: 'r', 's'"
    alone = Parts(found.train, None, None, found.facts | {"report": ["one"]})
    assert TASK.announce(tmp_path, alone)[1:] == ["  one"]


def test_what_is_said_of_the_test_part(load, monkeypatch):
    found = load({"validation": None}, a=range(24), t=PAIR)
    model = TASK.build(TASK.settings("mlp", hidden="none"), found.facts)
    model.layers[1].weight.data = np.zeros((2, 1), np.float32)
    model.layers[1].bias.data = np.array([1.0, 0.0], np.float32)
    part = parts.Rows(found.test.inputs, found.test.targets, ["said of it"])
    outcome = TASK.test(TASK.settings("mlp"), found.facts, model, part, None)
    right = (part.targets == 0).mean()
    assert outcome.text.splitlines() == [
        f"{100 * right:.2f} % of 5 rows right, loss {outcome.figures['loss']:.4f}", "said of it"]  # fmt: skip
    assert outcome.figures["accuracy"] == pytest.approx(right) and outcome.details["classes"] == ["x", "y"]
