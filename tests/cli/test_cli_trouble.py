"""What goes wrong around a command: empty words, readers that leave, missing homes and memory, Ctrl-C at odd
moments."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_notes import loading
from tinygrad_notes.cli import inspection, main
from tinygrad_notes.cli.output import print_json, print_table
from tinygrad_notes.train.interrupt import stop_on_signal
from tinygrad_notes.train.progress import Lines
from tinygrad_notes.verify import report

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "mlp", "--data"], ["train", "mlp", "--validation"], ["train", "mlp", "--out"],
        ["train", "--resume"], ["train", "charlm", "--text"], ["train", "translate", "--pairs"],
        ["train", "classify", "--labels"], ["train", "mlp", "--data", "penguins", "--leave-out"],
        ["eval"], ["eval", "RUN", "--data"], ["predict"], ["predict", "RUN"], ["generate"], ["neighbors"],
        ["vectors", "FILE", "--out"], ["vectors", "FILE", "--evaluate"], ["study", "activation", "--out"],
        ["bpe", "train", "--out"], ["bpe", "train", "--out", "FILE"], ["bpe", "show"],
    ],
)  # fmt: skip
def test_an_unset_variable_is_not_the_folder_one_is_in(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, ""]) == 2
    said = capsys.readouterr().err
    assert "must not be empty; is a variable of the shell unset?" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_text_may_be_empty(tmp_path, capsys):
    pairs = str(tmp_path / "pairs.json")
    assert main(["bpe", "train", "--size", "300", "--out", pairs]) == 0
    capsys.readouterr()
    assert main(["bpe", "encode", pairs, ""]) == 0
    assert capsys.readouterr().out == "\n"


# ---- readers ---------------------------------------------------------------------------------------


def main_without_reader(words):
    """The exit code where stdout is a pipe that nobody reads, and every line is written at once."""
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.MonkeyPatch.context() as patch, os.fdopen(writer, "w", buffering=1) as stdout:
        patch.setattr(sys, "stdout", stdout)
        return main(words)


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "sigmoid"], ["gradcheck", "sigmoid"], ["verify", "sigmoid", "--json"], ["doctor"],
        ["summary", "lenet5"], ["diff", "lenet5"], ["derive", "sigmoid"], ["graph"], ["graph", "--dot"],
        ["study"], ["study", "--json"], ["--help"], ["train", "--help"], ["bpe", "train", "--help"],
    ],
)  # fmt: skip
def test_a_reader_that_leaves_is_no_failure(words, capfd):
    assert main_without_reader(words) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("words", [["verify"], ["gradcheck"], ["verify", "--json"]])
def test_a_check_fails_whoever_reads_of_it(words, monkeypatch):
    failed = {"name": "Sigmoid", "passed": False}
    monkeypatch.setattr(report, "gradcheck_rows", lambda names: [failed])
    monkeypatch.setattr(report, "verify_rows", lambda names: [failed])
    assert main_without_reader([*words, "sigmoid"]) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_word_for_what_is_not_finite(value, capsys):
    """Better no result than one that a program cannot read."""
    for result in ({"loss": value}, {"rows": [[1.0, value]], "name": "\udcff"}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            print_json(result)
    assert capsys.readouterr().out == ""


# ---- what the system does not give -----------------------------------------------------------------


def complain(words, capsys):
    """What `words` say on stderr: one line, and the exit code of wrong use."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("unknown", [None, "~nobody-is-called-so/data"])
def test_a_user_without_a_home_is_told_where_to_name_one(unknown, tmp_path, monkeypatch, capsys):
    def homeless(*arguments):
        raise RuntimeError("Could not determine home directory.")

    for name in ("TINYGRAD_NOTES_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    if unknown:
        monkeypatch.setenv("TINYGRAD_NOTES_DATA", unknown)
    said = complain(["train", "mlp", "--data", "mnist", "--out", str(tmp_path / "r")], capsys)
    assert "Could not determine home directory): set TINYGRAD_NOTES_DATA" in said


@pytest.mark.parametrize(
    "error", [MemoryError(), MemoryError("Unable to allocate"), RuntimeError("can't start new thread")]
)
def test_a_full_memory_is_no_bug(error, monkeypatch, capsys):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(inspection, "summary", refuse)
    said = complain(["summary", "lenet5"], capsys)
    assert "not enough memory (" in said and str(error) in said


@pytest.mark.parametrize(
    "note, advice",
    [("with --batch-size 2", "try --batch-size 1"), ("with --batch-tokens 7", "try --batch-tokens 3"),
     ("with --batch-size 1", "free some, or ask for less, such as a smaller --batch-size"),
     ("about --batch-size 8 of another", "free some, or ask for less, such as a smaller --batch-size")],
)  # fmt: skip
def test_the_batch_to_try_has_at_least_one_sample(note, advice, monkeypatch, capsys):
    def refuse(*arguments):
        error = MemoryError("Unable to allocate")
        error.add_note(note)
        raise error

    monkeypatch.setattr(inspection, "summary", refuse)
    assert complain(["summary", "lenet5"], capsys).endswith(f"(Unable to allocate), {advice}\n")


# ---- Ctrl-C ----------------------------------------------------------------------------------------

WAITING = "import time; print('loading', flush=True); time.sleep(60)"


@pytest.mark.skipif(os.name != "posix", reason="needs signals between processes")
@pytest.mark.parametrize("command", [["-m", "tinygrad_notes"], ["tinygrad-notes"], ["-m", "other"]])
def test_ctrl_c_while_the_command_is_loaded(tmp_path, command):
    """NumPy, which the package imports first, takes its time here."""
    (tmp_path / "numpy.py").write_text(WAITING)
    (tmp_path / "tinygrad-notes").write_text("from tinygrad_notes.cli import main")
    (tmp_path / "other.py").write_text("import tinygrad_notes")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    process = subprocess.Popen(
        [sys.executable, *command, "summary", "lenet5"], env=environment, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT  # 130 in a shell
    assert ("Traceback" in err) is ("other" in command)  # the signals of other programs are their own


def test_ctrl_c_is_an_exception_once_the_command_is_loaded(monkeypatch, hears_ctrl_c, capsys):
    monkeypatch.setattr(loading, "loading", True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as `loading` does at its import
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and not loading.loading


@pytest.fixture
def hears_ctrl_c():
    """A job in the background is started deaf to it, and so are these tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_progress_is_written(tmp_path, hears_ctrl_c):
    """The handler has something to say, and the buffer of stderr is not to be entered twice."""

    class Interrupted(io.FileIO):
        def write(self, data):
            if not stop():
                signal.raise_signal(signal.SIGINT)
            return super().write(data)

    file = tmp_path / "stderr"
    with io.TextIOWrapper(io.BufferedWriter(Interrupted(file, "w")), line_buffering=True) as stream:
        lines = Lines(stream)
        with stop_on_signal(lines.message) as stop:
            lines.message("epoch 1")
            assert stop()
            lines.message("epoch 2")
    said = file.read_text().splitlines()
    assert sorted(said) == ["epoch 1", "epoch 2", "stopping after this batch; once more to leave at once"]


# ---- unknown options -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "word2vec", "--width", "9"], "train: unrecognized arguments: --width 9; "
         "see tinygrad-notes train word2vec --help"),
        (["train", "mlp", "--target", "t"], "train: unrecognized arguments: --target t; mlp learns tables as "
         "well, with other options; --data decides: train mlp --data penguins --target species --help; see "
         "tinygrad-notes train mlp --help"),
        (["bpe", "train", "--out", "FILE", "--x"], "bpe train: unrecognized arguments: --x; "
         "see tinygrad-notes bpe train --help"),
        (["data", "a", "b"], "data: unrecognized arguments: b; see tinygrad-notes data --help"),
        (["generate", "RUN", "--seed", "-1"], "generate: argument --seed: must be a whole number of at least "
         "0, got '-1'; see tinygrad-notes generate --help"),
        (["study", "loss", "--seed", "²"], "study: argument --seed: must be a whole number of at least "
         "0, got '²'; see tinygrad-notes study --help"),
    ],
)  # fmt: skip
def test_an_unknown_option_is_told_by_the_command_it_was_given_to(words, sentence, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err == f"tinygrad-notes {sentence}\n"


def test_the_example_of_a_model_trains_it(capsys):
    for words, example in (
        (["classify"], "classify --seed 1"),
        (["mlp", "--data", "penguins"], "mlp --data penguins --target species"),
    ):
        assert main(["train", *words, "--help"]) == 0
        assert capsys.readouterr().out.endswith(f"example:\n  tinygrad-notes train {example}\n")


# ---- pictures and tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["study", "optimizer"], ["data", "penguins"]])
def test_a_picture_that_cannot_be_written_is_told_before_anything_is_computed(
    command, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("matplotlib")
    for name in ("study.run", "cli.data.describe"):
        monkeypatch.setattr(f"tinygrad_notes.{name}", lambda *_: pytest.fail("computed"))
    assert main([*command, "--out", "p.txt"]) == 2
    assert "p.txt: .txt is no format of pictures; those are" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "no" / "p.png")]) == 2
    assert f"there is no folder {tmp_path / 'no'}; make it first" in capsys.readouterr().err


def test_a_line_break_in_a_cell_is_a_space(capsys):
    print_table(["word", "count"], [["a\nb", 1], ["c\r\nd", 22]])
    assert capsys.readouterr().out.splitlines() == ["word  count", "a b       1", "c d      22"]


def test_a_cut_off_configuration_is_told(tmp_path, capsys):
    (tmp_path / "config.json").write_text("")
    assert main(["eval", str(tmp_path)]) == 2
    assert "config.json: no JSON, so it was cut off or edited: Expecting value" in capsys.readouterr().err


def test_an_error_of_a_file_names_the_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["train", "mlp", "--limit", "8", "--epochs", "1", "--out", str(tmp_path / "file" / "r")]) == 2
    assert capsys.readouterr().err == f"tinygrad-notes: {tmp_path / 'file'}: File exists\n"


ALIGNED = ["name  kind         x    rate", "a     k          2.5   1.00%", "bcde  kind of  1,234  10.00%"]


@pytest.mark.parametrize("terminal", [False, True])
def test_words_of_a_table_stand_left_and_numbers_right(terminal, monkeypatch, capsys):
    rows = [["a", "k", "2.5", "1.00%"], ["bcde", "kind of", "1,234", "10.00%"]]
    if not terminal:
        print_table(["name", "kind", "x", "rate"], rows, left=2)
        assert capsys.readouterr().out.splitlines() == ALIGNED
        return
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "dumb")
    print_table(["name", "kind", "x", "rate"], rows, left=2)
    lines = [line.rstrip() for line in stream.getvalue().splitlines() if line.strip("─ ")]
    assert [line.split() for line in lines] == [line.split() for line in ALIGNED]
    head, first, second = lines
    assert first.index("k") == second.index("kind of") == head.index("kind")
    for a, b in (("2.5", "1,234"), ("1.00%", "10.00%")):
        assert first.index(a) + len(a) == second.index(b) + len(b)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_momentum_is_of_sgd_only(optimizer, tmp_path, capsys):
    command = ["train", "mlp", "--optimizer", optimizer, "--momentum", "0.5", "--limit", "8"]
    assert main([*command, "--epochs", "1", "--out", str(tmp_path / "r")]) == 2
    told = f"--momentum is of sgd, and mlp is trained with {optimizer}: add --optimizer sgd, or leave out"
    assert told in capsys.readouterr().err
