"""seq2seq and translate as tasks: splits without shared texts, learning, resuming, decoding, errors."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_notes as tg
from tests.cut_trainings import equal_to_the_whole
from tinygrad_notes import backend
from tinygrad_notes.cli import main
from tinygrad_notes.data.text import Sequences
from tinygrad_notes.tasks import find_task, sequence_pictures
from tinygrad_notes.tasks.pairs import texts
from tinygrad_notes.tasks.pairs.bleu import bleu
from tinygrad_notes.tasks.pairs.settings import Decoding
from tinygrad_notes.tasks.pairs.task import Weighed, rows
from tinygrad_notes.tasks.translation import learning_rates
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.run import Run
from tinygrad_notes.train.task import weighed

SEQ2SEQ, TRANSLATION = find_task("seq2seq"), find_task("translation")
NUMPY = backend.BACKEND == "numpy"  # the stand-in of CuPy takes its time: there epochs are few
SMALL = {
    "seq2seq": dict(
        attention="general",
        width=32,
        embedding=16,
        batch_size=8,
        epochs=10 if NUMPY else 1,
        lr=1e-2,
        dropout=0.0,
        longest=8,
    ),
    "translate": dict(
        width=16,
        heads=2,
        layers=1,
        feed_forward=32,
        tokens=280,
        epochs=2,
        warmup=20,
        lr=3e-3,
        longest=8,
        batch_tokens=200,
    ),
}
TASKS = {"seq2seq": SEQ2SEQ, "translate": TRANSLATION}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Words and their letters in upper case, backwards."""
    rng = np.random.default_rng(0)
    count = 600 if NUMPY else 80
    words = {"".join(rng.choice(list("abcd"), rng.integers(2, 5))) for _ in range(count)}
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("".join(f"{w}\t{w[::-1].upper()}\n" for w in sorted(words)), encoding="utf-8")
    return str(path)


def start(model, pairs, folder, **more):
    task = TASKS[model]
    return Run.start(task, task.settings(model, data=pairs, **SMALL[model] | more), folder)


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """The folders of a seq2seq that has learned it and of a translate that has not, with their pictures."""
    folder = tmp_path_factory.mktemp("runs")
    for model in TASKS:
        run = start(model, pairs, folder / model)
        run.fit()
        run.plot(run.test())
    return folder


# ---- the data ----------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyzuvw")), min_size=1, max_size=30),
    st.sampled_from([0.1, 0.5]), st.integers(0, 5),
)  # fmt: skip
def test_no_text_stands_in_both_parts_of_a_split(pairs, share, seed):
    train, test = texts.split(pairs, share, seed)
    assert sorted(train + test) == sorted(pairs)
    for side in (0, 1):
        assert not {p[side] for p in train} & {p[side] for p in test}


def test_dates_of_the_test_are_on_unseen_days():
    chosen = SEQ2SEQ.settings("seq2seq")
    pairs = texts.read_pairs("dates")
    train, test = texts.split(pairs, texts.TEST, chosen.seed)
    assert 2000 < len(test) < 3000 < 20_000 < len(train)
    assert not {day for _, day in train} & {day for _, day in test}


def test_ids_and_texts_come_back(pairs):
    for model, task in TASKS.items():
        parts = task.load(task.settings(model, data=pairs, **SMALL[model]))
        source, target = texts.both(json.loads(json.dumps(parts.facts)))
        assert (source is target) == (model == "translate")
        for a, b in zip(*(rows(column) for column in parts.train.columns), strict=True):
            assert (a[-1], b[0], b[-1]) == (texts.END, texts.START, texts.END)
            assert target.decode(b) == source.decode(a)[::-1].upper()
        assert "".join(source.words([*a[:-1]])) == source.decode(a)


@pytest.mark.parametrize(
    "content, message",
    [("", "there is no pair of texts"), ("a\tb\nonly one\nc\td\n", "line 2 must have 2 columns"),
     ("a\tb\nc\t \n", "line 2 must have 2 columns"), ("a\tb\nc\td\n", "no pair is left for the"),
     ("".join(f"{i}\t{'x' * (i + 1)}\n" for i in range(40)), "all targets are made of 'x'")],
)  # fmt: skip
def test_pairs_that_teach_nothing_are_refused(content, message, tmp_path, capsys):
    path = tmp_path / "pairs.tsv"
    path.write_text(content, encoding="utf-8")
    assert main(["train", "seq2seq", "--pairs", str(path), "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("model", ["seq2seq", "translate"])
def test_reversed_pairs_are_turned_in_every_part(model, tmp_path):
    """What is read is of capitals then, and what is written of small letters."""
    data, own = tmp_path / "data.tsv", tmp_path / "own.tsv"
    data.write_text(
        "".join(f"{'abcdefgh'[i % 8] * (1 + i // 8)}\t{'ABC'[i % 3] * (i + 1)}\n" for i in range(40))
    )
    own.write_text("abc\tCAB\nbca\tABC\n")
    task = SEQ2SEQ if model == "seq2seq" else TRANSLATION
    options = SMALL[model] | {"data": str(data), "validation": str(own), "longest": 50}
    for reverse in (False, True):
        parts = task.load(task.settings(model, reverse=reverse, **options))
        source, target = texts.both(parts.facts)
        for name, part in parts.named().items():
            for side, column, upper in zip(
                (source, target), part.columns, (reverse, not reverse), strict=True
            ):
                said = "".join(side.decode(ids) for ids in rows(column))
                letters = [c for c in said if c.isalpha()]
                assert letters and {c.isupper() for c in letters} == {upper}, (name, upper)


def test_pairs_that_are_too_long_are_left_out_and_counted(pairs, tmp_path):
    task = SEQ2SEQ
    chosen = task.settings("seq2seq", data=pairs, longest=4)
    parts = task.load(chosen)
    whole = [pair for pair in texts.read_pairs(pairs) if len(pair[0]) < 4]
    assert sum(map(len, parts.named().values())) == len(whole)
    said = task.announce(tmp_path, parts)
    assert (
        said[1] == f"{len(texts.read_pairs(pairs)) - len(whole)} pairs are longer than --longest and left out"
    )
    with pytest.raises(ValueError, match="no pair is left for the train part"):
        task.load(task.settings("seq2seq", data=pairs, longest=2))


@pytest.mark.parametrize(
    "model, options, message",
    [("seq2seq", {"width": 7}, "width must be even"),
     ("seq2seq", {"forcing": 1.5}, "forcing is a probability"),
     ("seq2seq", {"attention": "none", "input_feeding": True}, "needs an attention"),
     ("translate", {"heads": 3}, "heads = 3 must divide width")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(model, options, message):
    with pytest.raises(RunError, match=message):
        TASKS[model].settings(model, **options)


@pytest.mark.parametrize(
    "words, message",
    [(["--batch-size", "3"], "leave out --batch-size"), (["--data", "dates"], "--pairs and --data both"),
     (["--warmup", "3", "--schedule", "cosine"], "--warmup is of the schedule noam")],
)  # fmt: skip
def test_options_without_effect_are_refused(words, message, pairs, capsys):
    assert main(["train", "translate", "--pairs", pairs, *words]) == 2
    assert message in capsys.readouterr().err


# ---- training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [SEQ2SEQ, TRANSLATION])
def test_padding_is_neither_right_nor_wrong(task, monkeypatch):
    pad, end = texts.PAD, texts.END
    targets = np.array([[texts.START, 5, 6, end], [texts.START, 5, end, pad]])
    chosen = task.settings("seq2seq" if task is SEQ2SEQ else "translate")
    for said, right in ((targets[:, 1:], 5), (np.full((2, 3), pad), 0), (np.full((2, 3), end), 2)):
        logits = tg.Tensor(30.0 * np.eye(8, dtype=np.float32)[said])
        monkeypatch.setattr(type(task), "logits", lambda *_, logits=logits: logits)
        score = task.score(None, (None, None, tg.Tensor(targets), None, chosen), training=False)
        assert int(score.sums["correct"].numpy()) == right
        assert float(score.loss) == pytest.approx(30 * (5 - right) / 5, abs=1e-3)


def test_the_host_knows_how_many_ids_a_batch_asks_for():
    column = texts.Ragged([[1, 2, 3], [1, 2], [1, 2, 3, 4, 5]])
    batches = Weighed(Sequences(column, column), 2)
    counts = {(lengths.numpy().sum() - len(lengths), count) for *_, lengths, count in batches}
    assert counts == {(3, 3), (4, 4)} and len(batches) == 2


def test_seq2seq_learns_to_turn_words_around(trained, capsys):
    for words in ([], ["--beams", "3"]):
        assert main(["eval", str(trained / "seq2seq"), "--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)
        if NUMPY:
            assert found["exact"] > 0.7 and found["accuracy"] > 0.9  # by chance: below 0.02 and 0.25
        assert found["examples"][0].keys() == {"source", "written", "wanted"}


def test_long_texts_are_shortened_in_the_table_alone(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tinygrad_notes.tasks.pairs.task.SHOWN", 3)
    assert main(["eval", str(trained / "seq2seq")]) == 0
    _, table = capsys.readouterr().out.split("\n\n")
    rows = [line.split() for line in table.splitlines()[1:]]
    assert rows and all(len(cell) <= 3 for row in rows for cell in row)
    assert any(cell.endswith("…") for row in rows for cell in row)


@pytest.mark.parametrize("model", TASKS)
def test_a_training_cut_anywhere_goes_on_bit_for_bit(model, pairs, tmp_path):
    more = {"epochs": 2, "dropout": 0.2, "limit": 50} | ({"forcing": 0.5} if model == "seq2seq" else {})
    chosen = TASKS[model].settings(model, data=pairs, **SMALL[model] | more)
    equal_to_the_whole(TASKS[model], chosen, tmp_path, lambda batches: [2])


@pytest.mark.parametrize("model", TASKS)
def test_figures_do_not_depend_on_how_samples_are_batched(model, trained):
    run = Run.resume(TASKS[model], trained / model)
    run.claim.release()
    task, found = TASKS[model], []
    for size in (1, 50):
        more = {"batch_size": size} if model == "seq2seq" else {"batch_tokens": 8 * size}
        chosen = task.settings(model, **SMALL[model] | more)
        batches = task.batches(chosen, run.facts, run.parts.test, training=False)
        found.append(evaluate(task, run.model, batches).figures)
    assert found[0]["accuracy"] == pytest.approx(found[1]["accuracy"], abs=1e-9)
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], rel=1e-4)
    assert found[0]["perplexity"] == pytest.approx(math.exp(found[0]["loss"]))


def test_smoothing_and_forcing_are_of_training_only(pairs, trained):
    run = Run.resume(SEQ2SEQ, trained / "seq2seq")
    run.claim.release()
    losses = {}
    for name, options in {"plain": {}, "smooth": {"label_smoothing": 0.3}, "free": {"forcing": 0.0}}.items():
        chosen = SEQ2SEQ.settings("seq2seq", **SMALL["seq2seq"] | options)
        (batch, *_) = SEQ2SEQ.batches(chosen, run.facts, run.parts.test, training=False)
        losses[name] = [
            SEQ2SEQ.score(run.model, weighed(batch)[0], training).loss.item() for training in (False, True)
        ]
    assert losses["plain"][0] == losses["smooth"][0] == losses["free"][0]
    assert losses["smooth"][1] > losses["plain"][1] + 0.1 and losses["free"][1] != losses["plain"][1]


def test_pictures_are_drawn(trained):
    maps = {f"attention_{kind}" for kind in ("encoder", "decoder", "cross")}
    for model, names in {
        "seq2seq": {"attention"},
        "translate": maps | {"learning_rate", "positions"},
    }.items():
        assert {p.stem for p in (trained / model).glob("*.png")} == names | {"learning_curves"}


@pytest.mark.parametrize("model", TASKS)
def test_pictures_have_a_row_for_what_is_written_and_a_column_for_what_is_read(model, trained, monkeypatch):
    run = Run.resume(TASKS[model], trained / model)
    run.claim.release()
    drawn = {}
    for name in ("attention_map", "attention_maps", "learning_rates", "positions"):
        monkeypatch.setattr(sequence_pictures, name, lambda *what: drawn.update({what[-1].stem: what[:-1]}))
    TASKS[model].report(run, None)
    if model == "seq2seq":
        weights, written, read = drawn["attention"]
        shown = {"cross": ({"": weights[None]}, written, read)}
    else:
        shown = {kind: drawn[f"attention_{kind}"] for kind in ("encoder", "decoder", "cross")}
    for maps, rows_, columns in shown.values():
        assert {array.shape[1:] for array in maps.values()} == {(len(rows_), len(columns))}
        for array in maps.values():
            np.testing.assert_allclose(array.sum(axis=2), 1, rtol=1e-5)
    source, written = shown["cross"][2], shown["cross"][1]
    assert (
        source[-1] == written[-1] == "</s>" and "<s>" not in written
    )  # each id stands beside what it was made from
    if model == "seq2seq":  # the two sides have tables of their own: the letters of the source are small
        assert len(source) > 2 and set(source[:-1]) <= set("abcd")
        assert set(written[:-1]) <= set("ABCD")
        return
    assert list(shown["cross"][0]) == ["layer 1"] and shown["encoder"][1:] == (source, source)
    assert shown["decoder"][1:] == (written, ["<s>", *written[:-1]])
    for array in shown["decoder"][0].values():  # no word sees one that comes after it
        assert not np.triu(array, 1).any()
    steps = run.settings.epochs * len(run.trainer.train)
    assert drawn["learning_rate"] == (learning_rates(run.settings, steps),)
    assert drawn["positions"][0].shape == (run.settings.longest, run.settings.width)


def test_noam_has_the_papers_rates_and_the_largest_that_is_asked_for():
    paper = TRANSLATION.settings("translate", lr=None, width=512, heads=8, warmup=4000, epochs=1)
    rates = learning_rates(paper, 6000)
    np.testing.assert_allclose(
        rates, [512**-0.5 * min(s**-0.5, s * 4000**-1.5) for s in range(1, 6001)], rtol=1e-12
    )
    chosen = TRANSLATION.settings("translate", lr=2e-3, warmup=30, epochs=1)
    assert max(learning_rates(chosen, 100)) == pytest.approx(2e-3)
    assert learning_rates(chosen, 100)[29] == pytest.approx(2e-3)
    constant = TRANSLATION.settings("translate", lr=2e-3, schedule="constant", epochs=1)
    assert learning_rates(constant, 3) == [2e-3] * 3
    cosine = TRANSLATION.settings("translate", lr=2e-3, schedule="cosine", epochs=10)
    rates = learning_rates(cosine, 100)  # of all epochs: down to 0
    assert rates[0] == 2e-3 and rates[50] == pytest.approx(1e-3) and rates[99] < 1e-6


# ---- afterwards --------------------------------------------------------------------------------------


def test_predict_writes_and_refuses(trained, capsys):
    folder = str(trained / "seq2seq")
    assert main(["predict", folder, "abcd", "ddca", "--json"]) == 0
    assert [t["source"] for t in json.loads(capsys.readouterr().out)["texts"]] == ["abcd", "ddca"]
    assert main(["predict", folder, "abcd", "--beams", "2"]) == 0
    assert "DCBA" in capsys.readouterr().out or not NUMPY
    for text, message in (("abz", "text 1: character 3 is 'z' (U+007A)"), ("你好", "'你' (U+4F60)"),
                          (" ", "text 1 is empty"), ("a" * 9, "has 10 ids with its end sign")):  # fmt: skip
        assert main(["predict", folder, text]) == 2
        assert message in capsys.readouterr().err
    assert main(["predict", str(trained / "translate"), "你好"]) == 0  # byte pairs read anything


def test_a_score_is_the_log_probability_of_what_is_written(trained):
    run = Run.resume(TRANSLATION, trained / "translate")
    run.claim.release()
    sources = rows(run.parts.test.columns[0])[:6]
    model = run.model.eval()
    written = TRANSLATION.write(model, sources, run.settings, Decoding(beams=8, length_penalty=0.0))
    for source, hypothesis in zip(sources, written, strict=True):
        read = [texts.START, *hypothesis.ids, texts.END][: run.settings.longest + 1]
        with tg.no_grad():
            logits = model(np.array([source]), np.array([read[:-1]])).numpy()[0].astype(float)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        expected = sum(row[i] for row, i in zip(log_p, read[1:], strict=True))
        assert hypothesis.score == pytest.approx(expected, abs=1e-3)


def test_bleu_is_sacrebleus_or_says_what_is_missing(trained, monkeypatch, capsys):
    sacrebleu = pytest.importorskip("sacrebleu")
    written, wanted = ["the cat sat on a mat .", "a dog ."], ["the cat sat on the mat .", "a dog ."]
    assert bleu(written, wanted) == (sacrebleu.corpus_bleu(written, [wanted]).score, "13a")
    assert bleu(["他喜欢猫。"], ["他喜欢猫。"])[1] == "zh"
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad-notes\[bleu\]'"):
        bleu(written, wanted)
    assert main(["eval", str(trained / "translate")]) == 0
    assert "no BLEU (BLEU needs sacrebleu" in capsys.readouterr().out
