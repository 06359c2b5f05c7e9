"""Word vectors as a task: what a text becomes, a training that goes on bit for bit, and those who ask it."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_notes as tg
from tests.cut_trainings import equal_to_the_whole
from tinygrad_notes.cli import main
from tinygrad_notes.data import DataError, WordVectors, load_vectors
from tinygrad_notes.tasks import find_task, task_of
from tinygrad_notes.tasks.words import corpus
from tinygrad_notes.tasks.words.corpus import END, tokens
from tinygrad_notes.tasks.words.pictures import principal_plane, words_in_a_plane
from tinygrad_notes.tasks.words.task import vectors_of
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.run import Run
from tinygrad_notes.train.task import weighed

WORDS = find_task("words")
SMALL = dict(epochs=2, dim=8, min_count=1, batch_size=64)
PETS = ["cat", "dog", "cow", "hen", "fox", "owl"]
TOOLS = ["saw", "axe", "nail", "file", "drill", "vise"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences about pets and about tools, in random order."""
    random = np.random.default_rng(0)
    kinds = (PETS, TOOLS)
    lines = [" ".join(random.choice(kinds[random.integers(2)], 6)) + "." for _ in range(400)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "word2vec"
    assert main(["train", "word2vec", "--text", text, "--out", str(folder), "--epochs", "6", "--dim", "16",
                 "--sample", "0"]) == 0  # fmt: skip
    return folder


# ---- a text becomes numbers --------------------------------------------------------------------


def read(pieces, sentences="marks"):
    return [word for found in tokens(pieces, sentences) for word in found]


def test_words_and_sentences_of_a_text():
    text = "Don't panic! It’s 3.5 km,\nsaid l'État_x.\n\nNew\nline"
    found = [["don't", "panic"], ["it’s", "3", "5", "km", "said", "l'état", "x"], [], ["new", "line"]]
    assert read([text]) == [word for words in found for word in [*words, None]]
    assert read([text], "lines")[:8] == ["don't", "panic", "it’s", "3", "5", "km", None, "said"]
    assert read(["是。不"]) == ["是", None, "不", None]
    assert read([]) == [None]


@example(" \n", [1])  # a line that holds nothing is one, wherever the text is cut
@example("a \n\nb\n", [2, 3])
@given(st.text(alphabet="ab .\n'!", max_size=40), st.lists(st.integers(0, 40)))
def test_pieces_change_nothing(text, cuts):
    """They end behind white space, as those of `read_text` do."""
    places = sorted({0, len(text), *(c for c in cuts if 0 < c < len(text) and text[c - 1] in " \n")})
    pieces = [text[i:j] for i, j in itertools.pairwise(places)]
    for sentences in ("marks", "lines"):
        assert read(pieces, sentences) == read([text], sentences)


def test_parts_and_vocabulary(text):
    settings = WORDS.settings("word2vec", data=text, **SMALL | dict(validation=0.25))
    parts = WORDS.load(settings)
    sizes = [len(part) for part in (parts.train, parts.validation, parts.test)]
    assert sum(sizes) == 400 * 7 + 1
    assert sizes[2] == pytest.approx(280, abs=7) and sizes[1] == pytest.approx(630, abs=14)
    assert all(part.ids[-1] == END for part in (parts.train, parts.validation, parts.test))
    table = parts.facts["vocabulary"]
    assert sorted(table["tokens"]) == sorted(PETS + TOOLS)
    assert table["counts"] == sorted(
        np.bincount(parts.train.ids[parts.train.ids >= 0]).tolist(), reverse=True
    )
    again = WORDS.load(settings, parts.facts)
    for mine, theirs in zip(parts.named().values(), again.named().values(), strict=True):
        assert mine.fingerprint() == theirs.fingerprint()
    few = WORDS.load(WORDS.settings("word2vec", data=text, **SMALL | dict(limit=50)))
    assert len(few.train) == 50 >= len(few.test)  # of whose words some are unknown


def test_words_of_the_test_part_alone_are_unknown(tmp_path):
    (tmp_path / "t").write_text("a b a b. " * 95 + "z a b z. " * 5)
    parts = WORDS.load(WORDS.settings("word2vec", data=str(tmp_path / "t"), **SMALL | dict(validation=None)))
    assert parts.facts["vocabulary"]["tokens"] == ["a", "b"]
    assert set(parts.test.ids.tolist()) == {0, 1, END} and parts.validation is None
    (tmp_path / "v").write_text("z a b q")
    held = WORDS.load(
        WORDS.settings("word2vec", data=str(tmp_path / "t"), **SMALL | dict(validation=str(tmp_path / "v")))
    )
    assert held.validation.ids.tolist() == [0, 1, END]


def test_a_text_larger_than_a_piece_of_numbers(text, monkeypatch):
    whole = WORDS.load(WORDS.settings("word2vec", data=text, **SMALL))
    monkeypatch.setattr(corpus, "PIECE", 7)
    cut = WORDS.load(WORDS.settings("word2vec", data=text, **SMALL))
    assert whole.facts == cut.facts
    for a, b in zip(whole.named().values(), cut.named().values(), strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)


@pytest.mark.parametrize(("content", "options", "message"), [
    (b"", {}, "the text has no words"),
    (b" .\n\n. ", {}, "0 words stand 1 times or more|no words"),
    (b"one one one one. " * 9, {}, "1 words stand 1 times or more in the training part, and at least 2"),
    (b"a b " * 99, {"min_count": 1000}, "lower --min-count"),
    (b"a. b. " * 99, {}, "no two known words stand beside each other in the training part"),
    (b"a b \xff c", {}, r"byte 4 \(0xff\) is no UTF-8"),
])  # fmt: skip
def test_texts_that_teach_nothing_are_refused(tmp_path, content, options, message):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises((DataError, RunError), match=message):
        WORDS.load(WORDS.settings("word2vec", data=str(tmp_path / "t"), **SMALL | options))
    with pytest.raises(DataError, match="no such text file; --data takes topics or a text file"):
        WORDS.load(WORDS.settings("word2vec", data=str(tmp_path / "none"), **SMALL))


def test_broken_bytes_can_be_read_all_the_same(tmp_path):
    (tmp_path / "t").write_bytes(b"a b \xff c. " * 50)
    settings = WORDS.settings("word2vec", data=str(tmp_path / "t"), errors="replace", **SMALL)
    assert WORDS.load(settings).facts["vocabulary"]["tokens"] == ["a", "b", "c"]


# ---- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"architecture": "cbow", "negative": 0, "formula": "paper"}])
def test_a_training_cut_anywhere_goes_on_bit_for_bit(options, text, tmp_path):
    chosen = WORDS.settings("word2vec", data=text, **SMALL, **options)
    run = equal_to_the_whole(WORDS, chosen, tmp_path, lambda batches: (3, batches, batches + 5))
    assert run.trainer.history[-1]["lr"] == pytest.approx(1e-4 * run.settings.lr)


def test_the_loss_is_the_mean_and_the_step_that_of_the_sum(text, tmp_path):
    run = Run.start(WORDS, WORDS.settings("word2vec", data=text, **SMALL), tmp_path / "run")
    batch = next(iter(run.trainer.train))
    run.model.pick = tg.nn.functional.embedding
    run.model.syn1._data += 0.1
    told, weight = weighed(batch)
    score = WORDS.score(run.model, told, training=True)
    total, count = run.model(batch[:5]), run.model.count(batch[:5])
    assert weight == max(count, 1)
    assert score.loss.item() == pytest.approx(total.item() / weight, rel=1e-6)
    tables = list(run.model.parameters())
    for g, e in zip(tg.grad(score.loss, tables), tg.grad(total, tables), strict=True):
        np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-6, atol=1e-6)


def test_a_text_that_repeats_one_pair_for_pages_does_not_diverge(tmp_path):
    """Its batches read one row thousands of times, which the counts of the whole text do not tell."""
    random = np.random.default_rng(0)
    usual = " ".join(f"w{n}" for n in random.integers(0, 400, 8_000))
    (tmp_path / "t").write_text(f"{usual}. {'ping pong ' * 3000}. {usual}. {usual}.")
    settings = WORDS.settings(
        "word2vec", data=str(tmp_path / "t"), **SMALL | dict(batch_size=2048, sample=0.0)
    )
    history = Run.start(WORDS, settings, tmp_path / "run").fit()
    assert history[-1]["train_loss"] < 6


def test_the_held_out_loss_is_the_same_each_time(trained, text):
    task = task_of("word2vec", text)
    run = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    settings = task.settings("word2vec", data=text, epochs=6, dim=16, sample=0.0)
    parts = task.load(settings)
    state = tg.load(trained / "checkpoint.safetensors")
    model = task.build(settings, parts.facts)
    model.load_state_dict({k: state[k] for k in ("syn0", "syn1")})
    for _ in range(2):
        batches = task.batches(settings, parts.facts, parts.validation, training=False)
        assert evaluate(task, model, batches).figures["loss"] == run["validation_loss"]


@pytest.mark.parametrize(("given_", "message"), [
    (["--momentum", "0.5"], "--momentum"), (["--weight-decay", "0.1"], "--weight-decay moves all weights"),
    (["--context-gradient", "exact"], "is of cbow"), (["--negative", "0", "--power", "1"], "draws none"),
    (["--data", "topics", "--text", "x"], "both name the text"), (["--optimizer", "adam"], "one of sgd"),
    (["--architecture", "sg"], "one of skip-gram, cbow"), (["--window", "0"], "at least 1"),
])  # fmt: skip
def test_options_without_effect_are_refused(given_, message, capsys, tmp_path):
    assert main(["train", "word2vec", "--out", str(tmp_path / "run"), *given_]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# ---- commands ----------------------------------------------------------------------------------


def printed(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_words_of_one_kind_are_neighbors(trained, capsys):
    for kind in (PETS, TOOLS):
        for word in kind:
            found = printed(capsys, "neighbors", trained, word, "--count", 5)
            assert set(found["neighbors"]) == set(kind) - {word}
    assert printed(capsys, "predict", trained, "cat", "--count", 2)["neighbors"]["cat"].keys() < set(PETS)
    assert set(printed(capsys, "analogy", trained, "cat", "dog", "saw", "--count", 2)["neighbors"]) <= set(
        TOOLS
    )
    assert main(["neighbors", str(trained), "Cat"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["word", "cosine"]


def test_vectors_go_to_files_and_are_asked_there(trained, capsys, tmp_path):
    config = json.loads((trained / "config.json").read_text())
    for form in ("word2vec", "word2vec-binary", "glove"):
        file = tmp_path / form
        told = printed(capsys, "vectors", trained, "--out", file, "--form", form)
        assert (told["words"], told["dimensions"], told["form"]) == (12, 16, form)
        content = file.read_bytes()
        assert (content.count(b"\n") == (12 if form == "glove" else 13)) or form == "word2vec-binary"
        assert content.startswith(b"12 16\n") == (form != "glove")
        assert content.isascii() == (form != "word2vec-binary")
        vectors = load_vectors(file)
        assert vectors.words == config["facts"]["vocabulary"]["tokens"]
        np.testing.assert_array_equal(vectors.vectors, tg.load(trained / "best.safetensors")["syn0"])
        assert set(printed(capsys, "neighbors", file, "axe", "--count", 5)["neighbors"]) == set(TOOLS) - {
            "axe"
        }


def test_eval_has_the_loss_and_the_questions(trained, capsys, tmp_path):
    (tmp_path / "pairs.tsv").write_text(
        "cat\tdog\t9\nsaw\taxe\t8\ncat\tsaw\t1\ndog\taxe\t2\ncat\tunicorn\t5\n"
    )
    found = printed(capsys, "eval", trained, "--evaluate", tmp_path / "pairs.tsv")
    assert found["loss"] > 0 and found["evaluation"]["pairs"] == 4 and found["evaluation"]["skipped"] == 1
    assert found["evaluation"]["spearman"] > 0.7
    assert main(["eval", str(trained), "--evaluate", str(tmp_path / "pairs.tsv")]) == 0
    assert "rank correlation" in capsys.readouterr().out
    told = printed(capsys, "vectors", trained, "--evaluate", tmp_path / "pairs.tsv")
    assert told["evaluation"] == found["evaluation"]


def test_unknown_words_and_other_runs_say_so(trained, capsys, tmp_path):
    assert main(["neighbors", str(trained), "unicorn"]) == 2
    assert "'unicorn' is not among the 12 words that have a vector" in capsys.readouterr().err
    assert main(["analogy", str(trained), "cat", "dog", "unicorn"]) == 2
    assert main(["neighbors", str(trained), "cat", "--count", "0"]) == 2
    assert main(["neighbors", str(tmp_path / "nowhere"), "cat"]) == 2
    capsys.readouterr()


# ---- the picture -------------------------------------------------------------------------------


def test_the_plane_is_that_of_the_largest_variance():
    random = np.random.default_rng(0)
    axes, _ = np.linalg.qr(random.normal(size=(5, 5)))
    x = (random.normal(size=(500, 5)) * [9, 4, 1, 0.5, 0.1]) @ axes.T + 7
    places, shares = principal_plane(x)
    variance, directions = np.linalg.eigh(np.cov(x.T))
    for i in (0, 1):
        expected = (x - x.mean(axis=0)) @ directions[:, -1 - i]
        np.testing.assert_allclose(abs(places[:, i]), abs(expected), atol=1e-8)
        assert shares[i] == pytest.approx(variance[-1 - i] / variance.sum())
    np.testing.assert_allclose(principal_plane(x)[0], places)
    assert principal_plane(np.ones((3, 1)))[0].shape == (3, 2)
    assert principal_plane(x[:1])[0].tolist() == [[0, 0]]


@pytest.mark.filterwarnings("ignore::tinygrad_notes.tasks.lettering.NoFont")  # there may be none for 猫
def test_the_picture_is_an_image(trained, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need Matplotlib")
    assert (trained / "words.png").read_bytes().startswith(b"\x89PNG")
    words_in_a_plane(WordVectors(["$x$", "猫", "<a>"], np.eye(3)), tmp_path / "few.png")
    assert (tmp_path / "few.png").stat().st_size > 1000


def test_the_vectors_of_a_run_are_its_words_and_syn0():
    facts = {"vocabulary": {"tokens": ["a", "b"], "counts": [2, 1], "special tokens": []}}
    model = tg.models.Word2Vec(2, 3)
    vectors = vectors_of(facts, model)
    assert vectors.words == ["a", "b"]
    np.testing.assert_array_equal(vectors.vectors, model.state_dict()["syn0"])
