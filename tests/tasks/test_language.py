"""Language models as a task: they learn, go on bit for bit with their states, are measured, and write."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_notes as tg
from tests.cut_trainings import equal_to_the_whole
from tinygrad_notes import backend
from tinygrad_notes.cli import main
from tinygrad_notes.data.text import BytePairs, Stream, Streams
from tinygrad_notes.models.decoding import Sampling, generate
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.language.carried import Carried
from tinygrad_notes.tasks.language.generation import sample, written
from tinygrad_notes.tasks.language.task import perplexity
from tinygrad_notes.tasks.language.texts import Units
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.progress import Lines
from tinygrad_notes.train.run import Run

LANGUAGE = find_task("language")
SMALL = dict(width=16, layers=1, places=8, batch_size=8, dropout=0.1, epochs=2, sample=0)
NUMPY = backend.BACKEND == "numpy"  # the stand-in of CuPy takes its time: there texts are short
SENTENCE = "the cat sat on the mat and the dog sat on the log.\n"


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(SENTENCE * (30 if NUMPY else 10), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    """The folder of a small charlm, and of a small tokenlm."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("charlm", "tokenlm"):
        more = {"tokens": 280} if model == "tokenlm" else {}
        run = Run.start(LANGUAGE, LANGUAGE.settings(model, text=text, **SMALL, **more), folder / model)
        run.fit()
    return folder


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "transformer"])
def test_every_cell_learns_a_sentence_by_heart(cell, text, tmp_path):
    options = SMALL | dict(cell=cell, width=32, epochs=12 if NUMPY else 1, lr=1e-2, places=16, dropout=0.0)
    run = Run.start(LANGUAGE, LANGUAGE.settings("charlm", data=text, **options), tmp_path / "run")
    history = run.fit()
    if not NUMPY:
        assert history[-1]["validation_perplexity"] < 16  # of 16 characters
        return
    assert history[-1]["validation_perplexity"] < 1.4
    units = Units.from_facts(run.facts)
    told = "".join(written(run.model, run.settings, units, SENTENCE, 12, Sampling(0)))
    assert told == SENTENCE[:12]


@pytest.mark.parametrize("cell", ["lstm", "transformer"])
def test_a_training_cut_anywhere_goes_on_bit_for_bit(cell, text, tmp_path):
    def look(run, stop):
        if stop == 3 and cell == "lstm":
            assert run.trainer.state_dict()["resume"]["loader"]["carried"]["place"] == 3

    chosen = LANGUAGE.settings("charlm", data=text, cell=cell, **SMALL)
    equal_to_the_whole(LANGUAGE, chosen, tmp_path, lambda batches: (3, batches, batches + 5), look)


def test_a_stop_in_memory_goes_on_with_the_state_that_was_carried(text, tmp_path):
    chosen = LANGUAGE.settings("charlm", data=text, **SMALL)
    whole = Run.start(LANGUAGE, chosen, tmp_path / "whole")
    whole.fit()
    cut = Run.start(LANGUAGE, chosen, tmp_path / "cut")
    with pytest.raises(Interrupted):
        cut.fit(should_stop=lambda: cut.trainer.batch == 2)
    cut.fit()
    for name, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(cut.model.state_dict()[name], value, err_msg=name)


def test_a_text_in_pieces_has_the_loss_of_the_whole(trained):
    run = Run.resume(LANGUAGE, trained / "charlm")
    run.claim.release()
    units = Units.from_facts(run.facts)
    ids = units.encode(SENTENCE * 3, "text")
    figures = [
        evaluate(LANGUAGE, run.model, Carried(Streams(Stream(ids), 1, n), units.characters)).figures
        for n in (5, len(ids))
    ]
    assert abs(figures[0]["loss"] - figures[1]["loss"]) < 1e-6
    logits, _ = run.model.eval()(ids[None, :-1])
    log_p = logits.numpy()[0] - np.log(np.exp(logits.numpy()[0]).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(len(ids) - 1), ids[1:]].mean()
    assert abs(figures[0]["loss"] - expected) < 1e-5
    assert abs(figures[0]["bits_per_character"] - expected / math.log(2)) < 1e-5
    assert abs(figures[0]["perplexity"] - math.exp(expected)) < 1e-3


def test_a_state_of_another_batch_is_refused():
    carried = Carried(Streams(Stream(np.arange(40)), 2, 4), np.ones(40, np.float32))
    batches = iter(carried)
    next(batches)
    carried.keep((tg.Tensor([1.0]),))
    state = carried.state_dict()
    fresh = Carried(Streams(Stream(np.arange(40)), 2, 4), np.ones(40, np.float32))
    with pytest.raises(ValueError, match="that before batch 1, and not the one before batch 3"):
        fresh.load_state_dict(state | {"next_batch": 3})


PAIRS = BytePairs.train(["naïve café, 你好吗? 你好! the the then"] * 3, 300)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_characters_of_byte_pairs_are_counted_once(text):
    units = Units(PAIRS)
    assert units.characters[units.encode(text, "text")].sum() == len(text)


def test_an_infinite_perplexity_is_an_error():
    assert perplexity(700.0) == math.exp(700)
    with pytest.raises(FloatingPointError, match=r"the perplexity e\^800 is infinite"):
        perplexity(800.0)


@pytest.mark.parametrize(
    "content, message",
    [(b"", "the text is empty"), (b" \n\n", "the text is empty"), (b"a" * 99, "only character is 'a'"),
     (b"ab", "needs at least 2"), (b"abc\xff" * 50, "byte 3")],
)  # fmt: skip
def test_texts_that_teach_nothing_are_refused(content, message, tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    assert main(["train", "charlm", "--text", str(path), "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words, message",
    [(["--heads", "2"], "--heads is of a transformer"), (["--tokens", "300"], "--tokens is of tokenlm"),
     (["--data", "topics"], "--text and --data both name the text"),
     (["--cell", "transformer", "--heads", "3", "--width", "16"], "heads = 3 must divide width = 16")],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(words, message, text, capsys):
    assert main(["train", "charlm", "--text", text, *words]) == 2
    assert message in capsys.readouterr().err


def test_broken_bytes_are_read_on_demand(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"abc\xff" * 50)
    chosen = LANGUAGE.settings("charlm", data=str(tmp_path / "text.txt"), errors="replace")
    assert "�" in LANGUAGE.load(chosen).facts["characters"]["tokens"]


def test_samples_are_said_and_change_nothing(text, tmp_path, capsys):
    weights = []
    for length in (0, 10):
        chosen = LANGUAGE.settings("charlm", data=text, **SMALL | {"sample": length})
        run = Run.start(LANGUAGE, chosen, tmp_path / str(length))
        run.fit(progress=Lines())
        assert capsys.readouterr().err.count("it writes: ") == (2 if length else 0)
        weights.append(run.model.state_dict())
    for name, value in weights[0].items():
        np.testing.assert_array_equal(weights[1][name], value)


@pytest.mark.parametrize("model", ["charlm", "tokenlm"])
def test_generate_writes_what_the_model_says(model, trained, capsys):
    folder = str(trained / model)
    command = ["generate", folder, "--prompt", "the ", "--length", "20", "--temperature", "0"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    run = Run.resume(LANGUAGE, folder)
    run.claim.release()
    units = Units.from_facts(run.facts)
    (ids,) = generate(run.best_model().eval(), units.encode("the ", "")[None], 20)
    assert shown == "the " + units.decode(ids) + "\n"
    assert main([*command[:-2], "--json", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompt"] == "the " and found["seed"] == 3
    assert main([*command[:-2], "--seed", "3"]) == 0
    assert capsys.readouterr().out == "the " + found["text"] + "\n"
    plain = ["generate", folder, "--length", "5", "--seed", "2"]
    assert main([*plain, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompt"] == "\n" and found["text"]
    assert main(plain) == 0
    assert capsys.readouterr().out == found["text"] + "\n"  # the prompt is not the user's, and not shown


@pytest.mark.parametrize(
    "words, message",
    [(["--prompt", "tö"], r"the prompt: character 2 is 'ö' (U+00F6), which is not among"),
     (["--prompt", "你好"], "character 1 is '你'"), (["--prompt", ""], "the prompt is empty"),
     (["--length", "0"], "--length must be at least 1"), (["--top-p", "2"], "top_p must be above 0")],
)  # fmt: skip
def test_prompts_and_options_that_do_not_fit_are_refused(words, message, trained, capsys):
    assert main(["generate", str(trained / "charlm"), *words]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""


def test_byte_pairs_read_any_script(trained, capsys):
    assert main(["generate", str(trained / "tokenlm"), "--prompt", "你好", "--length", "3"]) == 0
    assert capsys.readouterr().out.startswith("你好")


def test_predict_and_eval_tell_perplexities(trained, text, tmp_path, capsys):
    folder = str(trained / "charlm")
    assert main(["predict", folder, "the cat sat", "tac eht", "--json"]) == 0
    known, unknown = json.loads(capsys.readouterr().out)["texts"]
    assert known["ids"] == 11 and unknown["ids"] == 7
    assert known["perplexity"] == pytest.approx(math.exp(known["loss"]))
    assert known["perplexity"] < unknown["perplexity"] or not NUMPY
    assert main(["predict", folder, "the cät"]) == 2
    assert "text 1: character 6 is 'ä'" in capsys.readouterr().err
    assert main(["predict", folder, "th", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"][0]["ids"] == 2
    assert main(["predict", folder, "t"]) == 2
    assert "from 2 on there is one to foresee" in capsys.readouterr().err
    (tmp_path / "other.txt").write_text("ÄÖÜ " * 100)
    assert main(["eval", folder, "--data", str(tmp_path / "other.txt")]) == 2
    assert "is 'Ä' (U+00C4), which is not among" in capsys.readouterr().err
    assert main(["eval", folder]) == 0
    assert "bits per character" in capsys.readouterr().out


def test_a_text_with_the_line_ends_of_windows_is_the_same_text(text, tmp_path):
    other = tmp_path / "windows.txt"
    other.write_bytes(Path(text).read_bytes().replace(b"\n", b"\r\n"))
    one, two = (LANGUAGE.load(LANGUAGE.settings("charlm", data=str(data), **SMALL)) for data in (text, other))
    assert one.facts == two.facts
    for name, part in one.named().items():
        np.testing.assert_array_equal(part.ids, two.named()[name].ids)


def test_a_sample_is_drawn_with_the_same_numbers_each_time(text):
    chosen = LANGUAGE.settings("charlm", data=text, **SMALL | {"sample": 40})
    parts = LANGUAGE.load(chosen)
    model = LANGUAGE.build(chosen, parts.facts)
    first, second = (sample(model, chosen, Units.from_facts(parts.facts)) for _ in range(2))
    assert first == second and len(first) >= 40 and len(set(first)) > 3  # drawn, and not the likeliest again
