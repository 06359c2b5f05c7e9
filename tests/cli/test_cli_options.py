"""Every option of every command: its default, what it becomes, and what it may not be."""

import pytest

from tinygrad_notes import backend
from tinygrad_notes.cli import main
from tinygrad_notes.cli.parser import make_parser

# command: the words it cannot do without, what it finds in them and without any option, {option: value}
COMMANDS = {
    "train": (["mlp"], {"model": "mlp", "out": None, "resume": None, "download": False,
                        "detect_anomaly": False},
              {"--out R": {"out": "R"}, "--resume R": {"resume": "R"}, "--download": {"download": True},
               "--detect-anomaly": {"detect_anomaly": True}}),
    "eval": (["R"], {"run_dir": "R", "data": None, "checkpoint": None, "download": False},
             {"--data D": {"data": "D"}, "--checkpoint best": {"checkpoint": "best"},
              "--checkpoint last": {"checkpoint": "last"}, "--download": {"download": True}}),
    "predict": (["R", "a", "b"], {"run_dir": "R", "inputs": ["a", "b"], "checkpoint": None},
                {"--checkpoint best": {"checkpoint": "best"}, "--checkpoint last": {"checkpoint": "last"}}),
    "generate": (["R"], {"run_dir": "R", "prompt": None, "length": 400, "temperature": 0.8, "top_k": None,
                         "top_p": None, "seed": 0},
                 {"--prompt P": {"prompt": "P"}, "--length 3": {"length": 3},
                  "--temperature 0": {"temperature": 0.0}, "--top-k 4": {"top_k": 4},
                  "--top-p 0.5": {"top_p": 0.5}, "--seed 6": {"seed": 6}, "--seed 0": {"seed": 0}}),
    "neighbors": (["R", "w"], {"source": "R", "word": "w", "count": 8}, {"--count 3": {"count": 3}}),
    "analogy": (["R", "x", "y", "z"], {"source": "R", "a": "x", "b": "y", "c": "z", "count": 8},
                {"--count 3": {"count": 3}}),
    "vectors": (["R"], {"source": "R", "out": None, "form": None, "evaluate": None},
                {"--out F": {"out": "F"}, "--form glove": {"form": "glove"},
                 "--form word2vec-binary": {"form": "word2vec-binary"}, "--evaluate F": {"evaluate": "F"}}),
    "summary": (["M"], {"model": "M", "variant": None}, {"--variant V": {"variant": "V"}}),
    "diff": (["M"], {"model": "M"}, {}),
    "derive": (["O"], {"operation": "O", "numbers": False, "lang": "en"},
               {"--numbers": {"numbers": True}, "--lang zh": {"lang": "zh"}, "--lang en": {"lang": "en"}}),
    "graph": ([], {"model": None, "dot": False}, {"M": {"model": "M"}, "--dot": {"dot": True}}),
    "bpe train": (["--out", "F"], {"action": "train", "files": [], "size": 8000, "kind": "bytes",
                                   "special": None, "out": "F", "errors": "raise"},
                  {"a b": {"files": ["a", "b"]}, "--size 9": {"size": 9}, "--kind words": {"kind": "words"},
                   "--special a --special b": {"special": ["a", "b"]},
                   "--errors replace": {"errors": "replace"}}),
    "bpe encode": (["F"], {"action": "encode", "tokenizer": "F", "text": None, "errors": "raise"},
                   {"T": {"text": "T"}, "--errors replace": {"errors": "replace"}}),
    "bpe decode": (["F"], {"action": "decode", "tokenizer": "F", "ids": []}, {"1 2": {"ids": ["1", "2"]}}),
    "bpe show": (["F", "T"], {"action": "show", "tokenizer": "F", "text": "T"}, {}),
    "study": ([], {"topic": None, "seed": 0, "out": None, "no_plot": False},
              {"loss": {"topic": "loss"}, "--seed 7": {"seed": 7}, "--out F": {"out": "F"},
               "--no-plot": {"no_plot": True}}),
    "data": (["P"], {"path": "P", "target": None, "decimal_comma": False, "out": None},
             {"--target T": {"target": "T"}, "--decimal-comma": {"decimal_comma": True},
              "--out F": {"out": "F"}}),
    "gradcheck": ([], {"operations": []}, {"a b": {"operations": ["a", "b"]}}),
    "verify": ([], {"operations": []}, {"a b": {"operations": ["a", "b"]}}),
    "doctor": ([], {}, {}),
}  # fmt: skip


def parsed(*words):
    """What the options of the command became; `train` has those of its task beside its own."""
    found = vars(make_parser(list(words)).parse_args(words))
    return {name: value for name, value in found.items() if name not in ("run", "command")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_its_default_and_its_place(command):
    words, without, options = COMMANDS[command]
    words, without = [*command.split(), *words], {"json": False, **without}
    found = parsed(*words)
    assert found == without or (command == "train" and found.items() >= without.items())
    for option, value in {**options, "--json": {"json": True}}.items():
        assert parsed(*words, *option.split()) == found | value, option


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("generate R --length x", "argument --length: invalid int value: 'x'"),
        ("generate R --top-k 1.5", "argument --top-k: invalid int value: '1.5'"),
        ("generate R --seed +1", "argument --seed: must be a whole number of at least 0, got '+1'"),
        ("eval R --checkpoint first", "argument --checkpoint: invalid choice: 'first'"),
        ("vectors R --form gensim", "argument --form: invalid choice: 'gensim'"),
        ("derive sigmoid --lang de", "argument --lang: invalid choice: 'de'"),
        ("bpe train --out F --kind letters", "argument --kind: invalid choice: 'letters'"),
        ("bpe encode F T --errors ignore", "argument --errors: invalid choice: 'ignore'"),
        ("bpe train", "the following arguments are required: --out"),
        ("predict R", "the following arguments are required: INPUT"),
        ("summary lenet5 --vari paper", "unrecognized arguments: --vari paper"),
        ("bpe encode F T --err replace", "unrecognized arguments: --err replace"),
        ("--js", "the following arguments are required: COMMAND"),
    ],
)
def test_values_that_no_option_takes(words, message, capsys):
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_the_folder_of_an_evaluation_may_stand_behind_its_options(tmp_path, monkeypatch, capsys):
    """The options of the task are those of the first word that is a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    monkeypatch.setattr("tinygrad_notes.train.config.read_task", lambda folder: "images")
    for words in (["run"], ["--checkpoint", "best", "run"], ["run", "--checkpoint", "best"]):
        assert "ten_crop" not in parsed("eval", *words)
        assert parsed("eval", *words, "--ten-crop")["ten_crop"] is True
    assert main(["predict", "run", "x", "--ten-crop"]) == 2  # of eval
    assert "unrecognized arguments: --ten-crop" in capsys.readouterr().err


def test_a_backend_that_was_refused_is_told_by_every_command_but_doctor(monkeypatch, capsys):
    monkeypatch.setattr(backend, "refused", backend.BackendError("BACKEND=none: there is none"))
    monkeypatch.setattr("tinygrad_notes.cli.doctor_gpu.look", lambda: ({}, {}))
    for words in (["summary", "lenet5"], ["diff", "lenet5"]):
        assert main(words) == 2
        assert capsys.readouterr() == ("", "tinygrad-notes: BACKEND=none: there is none\n")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split(maxsplit=1) == [
        "backend", "BACKEND=none: there is none"]  # fmt: skip


@pytest.mark.parametrize("given", [["--data", "penguins"], ["--data=penguins"]])
def test_the_data_tell_the_task_however_they_are_written(given, capsys):
    assert main(["train", "mlp", *given, "--help"]) == 0
    assert "options of mlp (task: tables)" in capsys.readouterr().out
