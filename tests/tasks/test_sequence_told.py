"""What the tasks on sequences say: announcements, the cells of their tables, figures, evaluations."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.data import DataError, WordVectors
from tinygrad_notes.data.text import BytePairs, Ragged, Sequences, Stream, Vocabulary
from tinygrad_notes.models.decoding import Hypothesis
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.labels.task import _inputs, _unknown
from tinygrad_notes.tasks.language.generation import default_prompt, written
from tinygrad_notes.tasks.language.texts import Units
from tinygrad_notes.tasks.pairs import texts
from tinygrad_notes.tasks.pairs.bleu import bleu
from tinygrad_notes.tasks.pairs.settings import Decoding
from tinygrad_notes.tasks.pairs.task import _shortened
from tinygrad_notes.tasks.words.corpus import Numbers
from tinygrad_notes.tasks.words.task import _said, known, nearest
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.task import Parts

LANGUAGE, LABELS, WORDS = find_task("language"), find_task("labels"), find_task("words")
SEQ2SEQ, TRANSLATION = find_task("seq2seq"), find_task("translation")
LETTERS = Vocabulary(["b", "a"], [3, 2]).to_dict()

# ---- announcements -------------------------------------------------------------------------------

FORTY = Stream(np.zeros(1234, int))
SIDE = Vocabulary(["a", "b"], specials=texts.SPECIALS).to_dict()
LONG = Vocabulary([chr(0x4E00 + i) for i in range(2000)], specials=texts.SPECIALS).to_dict()
WORD_FACTS = {"vocabulary": Vocabulary(["a", "b"], [3, 2]).to_dict()}


@pytest.mark.parametrize(
    ("task", "facts", "said"),
    [
        (LANGUAGE, {"characters": LETTERS}, ["1,234 training and 1,234 test ids of 2 characters"]),
        (LANGUAGE, {"byte pairs": BytePairs.train(["no no"] * 9, 257).to_dict()},
         ["1,234 training and 1,234 test ids of 257 byte pairs"]),
        (LABELS, {"classes": list("abc")}, ["1,234 training and 1,234 test sequences of 3 classes"]),
        (SEQ2SEQ, {"source": SIDE, "target": LONG, "left out": 0},
         ["1,234 training and 1,234 test pairs of 5 and 2,003 ids"]),
        (TRANSLATION, {"source": LONG, "target": None, "left out": 1500},
         ["1,234 training and 1,234 test pairs of 2,003 ids",
          "1,500 pairs are longer than --longest and left out"]),
    ],
)  # fmt: skip
def test_what_is_announced(task, facts, said, tmp_path):
    assert task.announce(tmp_path, Parts(FORTY, None, FORTY, facts)) == said


def test_words_are_announced_without_the_ends_of_sentences(tmp_path):
    train, held = Numbers(np.array([0, 1, -1, 0] * 500)), Numbers(np.array([0, 1, -1]))
    said = WORDS.announce(tmp_path, Parts(train, held, held, WORD_FACTS))
    assert said == ["words: 1,500 training, 2 validation, 2 test; 2 different ones"]


# ---- labels --------------------------------------------------------------------------------------


class Says(nn.Module):
    """Of sequences of one step the second class with 3/4, of two the first with 9/10."""

    def forward(self, values, lengths):
        steps = lengths.numpy() if isinstance(lengths, tg.Tensor) else lengths
        return tg.Tensor(np.log(np.array([[0.25, 0.75], [0.9, 0.1]], np.float32))[steps - 1])


def test_predicted_labels_have_a_row_for_each_text():
    facts = {"classes": ["x", "y"], "characters": Vocabulary(["a"], specials=("<pad>", "<unk>")).to_dict()}
    found = LABELS.predict(None, facts, Says(), ["a", "aé", "b"], None)
    assert (list(found.columns), found.left) == (["input", "class", "probability"], 2)
    assert found.rows == [["a", "y", "75.0 %"], ["aé", "x", "90.0 %"], ["b", "y", "75.0 %"]]
    assert found.text == "unknown characters, read as <unk>: 'b' 'é'"
    assert [tuple(row) for row in found.details["predictions"]] == [("input", "class", "probability")] * 3
    assert [row["probability"] for row in found.details["predictions"]] == pytest.approx([0.75, 0.9, 0.75])
    assert _unknown(facts, ["zyx", "awvu"]).endswith(": 'u' 'v' 'w' 'x' 'y' 'z'")
    assert _unknown(facts, ["a", "aa"]) == "" == _unknown({"mean": []}, ["é"])


def test_predicted_series_are_numbered_within_their_file(tmp_path):
    for name, count in (("p", 2), ("q", 1)):
        rows = "".join(f"{i},x,{10 * i}\n" for i in range(count))
        (tmp_path / f"{name}.csv").write_text(f"s,l,v\n{rows}")
    settings, facts = LABELS.settings("classify"), {"mean": [0.0]}
    names, values = _inputs(settings, facts, [str(tmp_path / "p.csv"), str(tmp_path / "q.csv")])
    assert names == [
        f"{tmp_path}/p.csv, series 1",
        f"{tmp_path}/p.csv, series 2",
        f"{tmp_path}/q.csv, series 1",
    ]
    assert [v.tolist() for v in values] == [[[0]], [[10]], [[0]]]
    with pytest.raises(RunError, match="predict: a text is empty; it needs at least one character"):
        _inputs(settings, {"characters": {}}, ["a", ""])
    assert _inputs(settings, {"characters": {}}, ["a", "b"]) == (["a", "b"], ["a", "b"])


def test_files_are_predicted_from_as_they_were_trained_on(tmp_path):
    """Also where their bytes are no UTF-8, and the training read them all the same."""
    (tmp_path / "x.csv").write_bytes(b"s,l,v\n\xff,x,1\n")
    for errors in ("raise", "replace"):
        settings = LABELS.settings("classify", errors=errors)
        if errors == "raise":
            with pytest.raises(DataError, match="no UTF-8"):
                _inputs(settings, {"mean": [0.0]}, [str(tmp_path / "x.csv")])
        else:
            assert _inputs(settings, {"mean": [0.0]}, [str(tmp_path / "x.csv")])[1][0].tolist() == [[1]]


def test_a_test_of_labels_has_their_table():
    facts = {"classes": ["x", "y"]}
    part = Sequences(Ragged([[0], [0, 0], [0]]), np.array([1, 0, 0]))
    found = LABELS.test(LABELS.settings("classify"), facts, Says(), part, None)
    loss = -np.log([0.75, 0.9, 0.25]).mean()
    assert found.text == f"66.67 % of 3 sequences right, loss {loss:.4f}"
    assert found.rows == [["x", 1, 1, "100.0 %", "50.0 %"], ["y", ".", 1, "50.0 %", "100.0 %"]]
    assert found.figures == {"loss": pytest.approx(loss), "accuracy": pytest.approx(2 / 3)}


@pytest.mark.parametrize(("places", "steps"), [(512, 20), (20, 20), (7, 7)])
def test_a_sample_is_no_longer_than_the_places(places, steps):
    settings = LABELS.settings("classify", places=places)
    (ids,) = LABELS.sample(settings, {"characters": {}})
    (numbers,) = LABELS.sample(settings, {"mean": [1.0, 2.0]})
    assert ids.shape == (1, steps) and numbers.shape == (1, steps, 2) and numbers.dtype == np.float32
    assert [x.shape for x in SEQ2SEQ.sample(SEQ2SEQ.settings("seq2seq", longest=places), {})] == [
        (1, steps)
    ] * 2
    assert LANGUAGE.sample(LANGUAGE.settings("charlm", places=places), {})[0].shape == (1, places)


# ---- language ------------------------------------------------------------------------------------


class Halves(nn.Module):
    """A language model that gives each of its ids the same probability, and keeps no state."""

    def __init__(self, ids):
        self.ids = ids

    def carried(self, state):
        return ()

    def forward(self, ids, state=()):
        return tg.Tensor(np.zeros((*ids.shape, self.ids), np.float32)), ()


def test_figures_of_a_language_model():
    found = LANGUAGE.figures(math.log(8), 30, {"characters": 45.0})
    assert found == {
        "loss": math.log(8),
        "perplexity": pytest.approx(8),
        "bits_per_character": pytest.approx(2),
    }
    assert LANGUAGE.figures(1.0, 3, {"characters": 0.0})["bits_per_character"] == pytest.approx(
        3 / math.log(2)
    )


def test_a_table_of_perplexities():
    facts = {"characters": Vocabulary(list("abcd")).to_dict()}
    settings = LANGUAGE.settings("charlm", places=8)
    given = ["ab", "a" * 40, "a" * 41]
    found = LANGUAGE.predict(settings, facts, Halves(4), given, None)
    assert (found.columns, found.left) == (["text", "ids", "perplexity", "bits per character"], 1)
    assert found.rows == [["ab", 2, "4.00", "2.000"], ["a" * 40, 40, "4.00", "2.000"],
                          ["a" * 39 + "…", 41, "4.00", "2.000"]]  # fmt: skip
    assert [row["text"] for row in found.details["texts"]] == given
    assert found.details["texts"][0] == {
        "text": "ab", "ids": 2, "loss": pytest.approx(math.log(4)), "perplexity": pytest.approx(4),
        "bits_per_character": pytest.approx(2),
    }  # fmt: skip
    with pytest.raises(RunError, match="predict: text 2 has 1 ids; from 2 on there is one to foresee"):
        LANGUAGE.predict(settings, facts, Halves(4), ["ab", "a"], None)
    tested = LANGUAGE.test(settings, facts, Halves(4), Stream(np.array([0, 1, 2])), None)
    assert tested.text == "test perplexity 4.00, 2.000 bits per character"
    assert tested.figures["loss"] == pytest.approx(math.log(4))


@pytest.mark.parametrize(("tokens", "prompt"), [(["e", "\n"], "\n"), (["e", "a"], "e"), (["\n"], "\n")])
def test_what_a_text_begins_with(tokens, prompt):
    assert default_prompt(Units(Vocabulary(tokens))) == prompt


def test_byte_pairs_begin_with_a_new_line():
    assert default_prompt(Units(BytePairs.train(["no"] * 9, 257))) == "\n"


@pytest.mark.parametrize(("cell", "context"), [("transformer", 9), ("lstm", None)])
def test_a_text_is_written_in_the_context_of_the_model(monkeypatch, cell, context):
    asked = []

    def stream(model, ids, choose, context):
        asked.append((ids.tolist(), choose, context))
        return iter(np.array([[1], [0], [1], [1]]))

    monkeypatch.setattr("tinygrad_notes.tasks.language.generation.stream", stream)
    settings = LANGUAGE.settings("charlm", cell=cell, places=9)
    units = Units(Vocabulary(["a", "b"]))
    pieces = written(Halves(2), settings, units, "ab", 3, "choice")
    assert list(pieces) == ["b", "a", "b"] and asked == [([[0, 1]], "choice", context)]
    with pytest.raises(RunError, match="generate: the prompt is empty; it needs at least one character"):
        written(Halves(2), settings, units, "", 3, "choice")


def test_a_character_is_shown_when_it_is_whole(monkeypatch):
    units = Units(BytePairs.train(["no"] * 9, 257))
    ids = units.encode("é!你", "it")
    for length, shown in ((6, ["é", "!", "你"]), (5, ["é", "!", "�"]), (1, ["�"])):
        monkeypatch.setattr("tinygrad_notes.tasks.language.generation.stream",
                            lambda *_, context: iter(ids[:, None]))  # fmt: skip
        settings = LANGUAGE.settings("tokenlm")
        assert list(written(Halves(257), settings, units, "a", length, None)) == shown


def test_a_sample_between_epochs_is_one_line(monkeypatch):
    monkeypatch.setattr("tinygrad_notes.tasks.language.task.sample", lambda *_: "a\nb\n")
    run = SimpleNamespace(model=None, facts={"characters": LETTERS})
    for count, said in ((0, []), (3, ["  it writes: a↵b↵"])):
        run.settings = LANGUAGE.settings("charlm", sample=count)
        assert LANGUAGE.between(run) == said


# ---- pairs ---------------------------------------------------------------------------------------


def upper(monkeypatch, task):
    """The task writes each source as capitals, but that the last letter of a long one is lost."""
    source, target = texts.Side.from_dict(PAIRS["source"]), texts.Side.from_dict(PAIRS["target"])
    asked = []

    def writing(model, sources, settings, options):
        asked.append(options)
        found = [target.encode(source.decode(ids).upper(), "it")[:-1] for ids in sources]
        return [Hypothesis(ids[:-1] if len(ids) > 2 else ids, 0.0) for ids in found]

    monkeypatch.setattr(task, "writing", writing)
    return asked


PAIRS = {
    "source": Vocabulary(["a", "b"], specials=texts.SPECIALS).to_dict(),
    "target": Vocabulary(["A", "B"], specials=texts.SPECIALS).to_dict(),
}


def test_what_is_written_stands_beside_its_source(monkeypatch):
    asked, options = upper(monkeypatch, SEQ2SEQ), Decoding(beams=3)
    settings = SEQ2SEQ.settings("seq2seq", longest=4)
    found = SEQ2SEQ.predict(settings, PAIRS, None, ["ab", "abb"], options)
    assert (found.columns, found.rows, found.left) == (
        ["source", "written"],
        [("ab", "AB"), ("abb", "AB")],
        2,
    )
    assert found.details == {"texts": [{"source": "ab", "written": "AB"}, {"source": "abb", "written": "AB"}]}
    assert asked == [options]
    for given, message in (
        (["ab", " "], "text 2 is empty"), (["a", "c"], "text 2: character 1"),
        (["abab"], "text 1 has 5 ids with its end sign, and the model was trained for up to 4 "),
    ):  # fmt: skip
        with pytest.raises(RunError, match=message):
            SEQ2SEQ.predict(settings, PAIRS, None, given, options)


@pytest.mark.parametrize("count", [3, 10])
def test_a_test_shows_the_first_eight_pairs(monkeypatch, count):
    upper(monkeypatch, SEQ2SEQ)
    monkeypatch.setattr("tinygrad_notes.tasks.pairs.task.evaluate",
                        lambda *_: SimpleNamespace(figures={"loss": 0.5}))  # fmt: skip
    source, target = texts.both(PAIRS)
    given = [("ab", "AB"), ("abb", "ABB"), ("b", "A")] + [("a", "A")] * (count - 3)
    part = Sequences(Ragged([source.encode(a, "it") for a, _ in given]),
                     Ragged([[texts.START, *target.encode(b, "it")] for _, b in given]))  # fmt: skip
    found = SEQ2SEQ.test(SEQ2SEQ.settings("seq2seq"), PAIRS, None, part, Decoding())
    exact = (count - 2) / count
    assert found.figures == {"loss": 0.5, "exact": pytest.approx(exact)}
    assert found.text == f"{100 * exact:.2f} % of {count} test pairs exact"
    assert (list(found.columns), found.left) == (["source", "written", "wanted"], 3)
    assert found.rows[:3] == [("ab", "AB", "AB"), ("abb", "AB", "ABB"), ("b", "B", "A")]
    assert len(found.rows) == len(found.details["examples"]) == min(count, 8)
    assert found.details["examples"][1] == {"source": "abb", "written": "AB", "wanted": "ABB"}


@pytest.mark.parametrize(("length", "shown"), [(39, "a" * 39), (40, "a" * 40), (41, "a" * 39 + "…")])
def test_long_texts_are_shortened_in_tables(length, shown):
    assert _shortened("a" * length) == shown


def test_bleu_stands_before_all_else(monkeypatch):
    monkeypatch.setattr("tinygrad_notes.tasks.translation.bleu", lambda written, wanted: (12.375, "zh"))
    figures, said = {}, ["the rest"]
    TRANSLATION.judge_texts([], [], figures, said)
    assert (figures, said) == ({"bleu": 12.375}, ["BLEU 12.38 (sacrebleu, zh)", "the rest"])

    def missing(written, wanted):
        raise ImportError("it is not there")

    monkeypatch.setattr("tinygrad_notes.tasks.translation.bleu", missing)
    TRANSLATION.judge_texts([], [], figures := {}, said := ["the rest"])
    assert (figures, said) == ({}, ["the rest", "no BLEU (it is not there)"])
    SEQ2SEQ.judge_texts([], [], figures, said)
    assert (figures, said) == ({}, ["the rest", "no BLEU (it is not there)"])


@pytest.mark.parametrize(("wanted", "tokens"), [(["他喜欢"], "zh"), (["a他"], "13a"), (["a他", "他"], "zh"),
                                               (["abc"], "13a")])  # fmt: skip
def test_chinese_is_counted_by_its_characters(monkeypatch, wanted, tokens):
    asked = []

    def corpus_bleu(written, references, tokenize):
        asked.append((written, references, tokenize))
        return SimpleNamespace(score=5)

    monkeypatch.setitem(__import__("sys").modules, "sacrebleu", SimpleNamespace(corpus_bleu=corpus_bleu))
    assert bleu(("x",) * len(wanted), wanted) == (5.0, tokens)
    assert asked == [(["x"] * len(wanted), [wanted], tokens)]


# ---- words ---------------------------------------------------------------------------------------

VECTORS = WordVectors(
    ["cat", "dog", "Axe", "axe"], np.array([[1, 0], [1, 0.1], [0, 1], [0.2, 1]], np.float32)
)


@pytest.mark.parametrize(
    ("word", "found"), [("cat", "cat"), ("CAT", "cat"), ("Axe", "Axe"), ("axe", "axe"), ("AXE", "axe")]
)
def test_words_are_known_as_they_are_or_in_small_letters(word, found):
    assert known(VECTORS, word) == found
    assert nearest(VECTORS, word, 2) == VECTORS.neighbors(found, 2)
    with pytest.raises(RunError, match="'Cow' is not among the 4 words that have a vector"):
        known(VECTORS, "Cow")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"accuracy": 0.125, "questions": 2000, "skipped": 1500},
         "12.5% of 2,000 analogies (1,500 with unknown words)"),
        ({"accuracy": None, "questions": 0, "skipped": 3}, "none of 0 analogies (3 with unknown words)"),
        ({"spearman": 0.5, "pairs": 2000, "skipped": 1500},
         "rank correlation 0.500 on 2,000 pairs (1,500 with unknown words)"),
        ({"spearman": None, "pairs": 1, "skipped": 0},
         "rank correlation none on 1 pairs (0 with unknown words)"),
    ],
)  # fmt: skip
def test_what_is_said_of_questions(found, said):
    assert _said(found) == said


class Table:
    """The vectors of four words."""

    @staticmethod
    def state_dict():
        return {"syn0": VECTORS.vectors, "syn1": VECTORS.vectors[::-1]}


FOUR = {"vocabulary": Vocabulary(VECTORS.words, [4, 3, 2, 1]).to_dict()}


def test_neighbors_of_each_word():
    found = WORDS.predict(None, FOUR, Table(), ["cat", "Dog"], SimpleNamespace(count=2))
    near = [("cat", *VECTORS.neighbors("cat", 2)[i]) for i in (0, 1)]
    near += [("Dog", *VECTORS.neighbors("dog", 2)[i]) for i in (0, 1)]
    assert found.rows == [(word, other, f"{cosine:.3f}") for word, other, cosine in near]
    assert (found.columns, found.left, found.text) == (("word", "neighbor", "cosine"), 2, "")
    assert found.details == {"neighbors": {"cat": dict(VECTORS.neighbors("cat", 2)),
                                           "Dog": dict(VECTORS.neighbors("dog", 2))}}  # fmt: skip


@pytest.mark.parametrize("count", [4, 8, 300])
def test_a_word_of_medium_frequency_is_looked_at(count):
    words = [f"w{i}" for i in range(count)]
    angles = np.linspace(0, 1, count)
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    run = SimpleNamespace(facts={"vocabulary": Vocabulary(words, [1] * count).to_dict()},
                          model=SimpleNamespace(state_dict=lambda: {"syn0": table}))  # fmt: skip
    (said,) = WORDS.between(run)
    middle = min(100, count // 2)
    near = [word for word, _ in WordVectors(words, table).neighbors(f"w{middle}", 6)]
    assert said == f"  near w{middle}: {', '.join(near)}" and len(near) == min(6, count - 1)


def test_an_evaluation_of_words_asks_questions_where_there_are_any(monkeypatch):
    module = "tinygrad_notes.tasks.words.task"
    monkeypatch.setattr(f"{module}.evaluate", lambda *_: SimpleNamespace(figures={"loss": 0.5}))
    monkeypatch.setattr(WORDS, "batches", lambda *_, training: None)
    rank = {"spearman": 0.5, "pairs": 2, "skipped": 0}
    monkeypatch.setattr(
        f"{module}.evaluate_vectors", lambda vectors, file: rank if file == "a/b.tsv" else 1 / 0
    )
    plain = WORDS.test(None, FOUR, Table(), None, WORDS.Testing())
    assert (plain.text, plain.figures, plain.details) == ("test loss 0.5000 a pair", {"loss": 0.5}, {})
    asked = WORDS.test(None, FOUR, Table(), None, WORDS.Testing("a/b.tsv"))
    assert asked.text == f"test loss 0.5000 a pair; b.tsv: {_said(rank)}"
    assert asked.details == {"evaluation": rank}


# ---- how targets are written ---------------------------------------------------------------------


@pytest.mark.parametrize("beams", [1, 3])
def test_targets_are_written_a_few_at_once(monkeypatch, beams):
    """By the likeliest id with one beam, else by a search with the penalty that was asked for."""
    module, asked = "tinygrad_notes.tasks.pairs.task", []
    monkeypatch.setattr(f"{module}.AT_ONCE", 2)

    def generate(step, first, most, state, stop):
        asked.append((step, first.tolist(), most, state, stop))
        return [[3, row] for row in range(len(first))]

    def beam_search(step, first, most, stop, width, penalty, state):
        asked.append((step, first.tolist(), most, state, stop, width, penalty))
        return [[Hypothesis([3, row], -1.5), Hypothesis([9], -2.0)] for row in range(len(first))]

    monkeypatch.setattr(f"{module}.generate", generate)
    monkeypatch.setattr(f"{module}.beam_search", beam_search)
    monkeypatch.setattr(SEQ2SEQ, "start", lambda model, ids, lengths: (ids.tolist(), lengths.tolist()))
    model, settings = SimpleNamespace(step="step"), SEQ2SEQ.settings("seq2seq", longest=7)
    options = Decoding(beams=beams, length_penalty=0.25)
    made = SEQ2SEQ.write(model, [[3, 2], [4, 3, 2], [2]], settings, options)
    more = () if beams == 1 else (3, 0.25)
    assert asked == [
        ("step", [[texts.START]] * 2, 7, ([[3, 2, texts.PAD], [4, 3, 2]], [2, 3]), texts.END, *more),
        ("step", [[texts.START]], 7, ([[2]], [1]), texts.END, *more),
    ]
    score = 0.0 if beams == 1 else -1.5
    assert [(list(h.ids), h.score) for h in made] == [([3, 0], score), ([3, 1], score), ([3, 0], score)]


def test_figures_of_pairs():
    found = SEQ2SEQ.figures(math.log(2), 8, {"correct": 6.0})
    assert found == {"loss": math.log(2), "perplexity": pytest.approx(2), "accuracy": 0.75}
    assert list(found) == ["loss", "perplexity", "accuracy"]
