"""The command line as its users meet it: results, exit codes, one-sentence errors, interruption."""

import importlib.util
import inspect
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinygrad_notes import backend
from tinygrad_notes.checkpoint import load
from tinygrad_notes.cli import main
from tinygrad_notes.cli.output import print_json, print_table
from tinygrad_notes.ops import lstm
from tinygrad_notes.tasks import MODELS
from tinygrad_notes.tasks.images import TASK as IMAGES
from tinygrad_notes.tasks.images.settings import ImageSettings as Settings
from tinygrad_notes.train import interrupt
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.run import Run

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--limit", "64", "--epochs", "1", "--batch-size", "32"]
COMMANDS = ("train", "eval", "predict", "summary", "diff", "derive", "graph", "gradcheck", "verify", "doctor")


def start(*arguments, **options):
    """The command as a process of its own, with pipes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
                   **options.pop("env", {})}  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tinygrad_notes", *map(str, arguments)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "trained"
    Run.start(IMAGES, Settings("lenet5", epochs=1, batch_size=32, limit=200, lr=2e-3), folder).fit()
    return folder


# ---- results -----------------------------------------------------------------------------------


def test_train_eval_and_resume(tmp_path, capsys):
    out = tmp_path / "r"
    assert main(["train", "lenet5", *QUICK, "--out", str(out), "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["epoch"] == 1
    assert result["run"] == str(out)
    assert "epoch 1/1" in said.err
    assert {f.name for f in out.iterdir()} >= {"config.json", "metrics.jsonl", "checkpoint.safetensors"}
    if importlib.util.find_spec("matplotlib"):
        assert (out / "learning_curves.png").exists()
        assert (out / "confusion_matrix.png").exists()

    assert main(["train", "--resume", str(out), "--epochs", "2"]) == 0
    assert re.search(r"lenet5 on digits: \d+\.\d\d % of 64 images right, .*, epoch [12]\n",
                     capsys.readouterr().out)  # fmt: skip
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 2

    assert main(["train", "--resume", str(out), "--json"]) == 0  # nothing is left to do
    trained = json.loads(capsys.readouterr().out)
    best = 1 + int(lines[1]["validation_loss"] < lines[0]["validation_loss"])
    assert trained == {"run": str(out), "model": "lenet5", "data": "digits", **lines[1], "best_epoch": best,
                       **{name: trained[name] for name in ("test_loss", "test_accuracy")}}  # fmt: skip
    assert main(["eval", str(out), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["accuracy"] == trained["test_accuracy"]
    assert evaluated["loss"] == trained["test_loss"]
    assert np.array(evaluated["confusion_matrix"]).sum() == evaluated["samples"] == 64


def test_options_reach_the_configuration(tmp_path):
    out = tmp_path / "r"
    options = ["--lr", "0.5", "--optimizer", "sgd", "--momentum", "0.5", "--weight-decay", "0.01",
               "--schedule", "step", "--clip-norm", "2", "--validation", "0.25", "--patience", "3",
               "--shift", "0", "--seed", "9", "--flip",
               "--lighting", "0.2", "--resize", "20", "--size", "16", "--variant", "notes"]  # fmt: skip
    assert main(["train", "mlp", *QUICK, *options, "--out", str(out), "--detect-anomaly"]) == 0
    config = json.loads((out / "config.json").read_text())
    facts, options = config.pop("facts"), config.pop("options")
    assert len(facts.pop("mean")) == len(facts.pop("std")) == len(facts.pop("color_values")) == 1
    assert facts == {"classes": list("0123456789"), "shape": [1, 28, 28], "color_vectors": [1.0]}
    assert config == {"task": "images", "model": "mlp", "threads": backend.threads()}
    assert options == {
        "data": "digits", "epochs": 1, "batch_size": 32, "optimizer": "sgd", "lr": 0.5,
        "momentum": 0.5, "weight_decay": 0.01, "schedule": "step", "clip_norm": 2, "shift": 0, "seed": 9,
        "validation": 0.25, "patience": 3, "limit": 64, "variant": "notes",
        "size": 16, "resize": 20, "flip": True, "lighting": 0.2,
        "on_error": "raise",
    }  # fmt: skip
    group = load(out / "checkpoint.safetensors")["resume"]["optimizer"]["param_groups"][0]
    assert group["momentum"] == 0.5


def test_a_training_that_has_no_patience_left_says_so(tmp_path, capsys):
    """At a learning rate of nearly 0 the first epoch is as good as any."""
    out = tmp_path / "r"
    options = [
        "--limit",
        "64",
        "--epochs",
        "5",
        "--lr",
        "1e-30",
        "--patience",
        "2",
        "--out",
        str(out),
        "--json",
    ]
    assert main(["train", "mlp", *options]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert (result["epoch"], result["best_epoch"]) == (3, 1)
    assert "no better epoch than 1 in 2: it ends here" in said.err
    assert main(["train", "--resume", str(out), "--patience", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epoch"] == 4


def test_out_may_be_called_like_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--out", "mlp", *QUICK, "lenet5"]) == 0
    assert json.loads((tmp_path / "mlp" / "config.json").read_text())["model"] == "lenet5"


def test_default_folder_is_new_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda text: "then")
    for _ in range(2):
        assert main(["train", "mlp", "--limit", "8", "--epochs", "1"]) == 0
    assert sorted(f.name for f in (tmp_path / "runs").iterdir()) == ["mlp-then", "mlp-then-2"]


def test_eval_prints_the_confusion_matrix(run_folder, capsys):
    assert main(["eval", str(run_folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "of 200 images right" in lines[0]
    assert lines[2].split() == ["true", "\\", "predicted", *"0123456789", "precision", "recall"]
    assert len(lines) == 13


def test_summary_knows_lenet5(capsys):
    assert main(["summary", "LeNet-5"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["total", "61,706", "416,520"]
    assert main(["summary", "lenet5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["parameters"], result["macs"]) == (61_706, 416_520)


def test_graph_as_text_dot_and_json(capsys):
    assert main(["graph"]) == 0
    assert "Sigmoid" in capsys.readouterr().out
    assert main(["graph", "lenet5", "--dot"]) == 0
    dot = capsys.readouterr().out
    assert dot.startswith("digraph")
    assert dot.count("{") == dot.count("}") == 1
    assert "features.0.weight" in dot
    assert main(["graph", "mlp", "--json"]) == 0
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert nodes[-1]["operation"] in ("Sum", "Mean")
    assert all(i is None or i < node["number"] for node in nodes for i in node["inputs"])


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_takes_the_graph(capsys):
    main(["graph", "lenet5", "--dot"])
    subprocess.run(["dot", "-Tsvg", "-o", os.devnull], input=capsys.readouterr().out, text=True, check=True)


def test_doctor(capsys, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["usable"] is True
    assert np.__version__ in result["numpy"]
    assert result["threads"] == "OPENBLAS_NUM_THREADS=2"
    assert main(["doctor"]) == 0
    assert "cupy" in capsys.readouterr().out


def test_doctor_tells_the_gpu(capsys, monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    answers = {
        "echo 'Some GPU, 1.2.3, 80 MiB'": "Some GPU, driver 1.2.3, 80 MiB",
        "echo 'No devices were found'; exit 6": "nvidia-smi: No devices were found",
    }
    for script, expected in answers.items():
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        assert main(["doctor", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["gpu"].startswith(expected)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gpu"].startswith("no NVIDIA driver found")


@pytest.mark.parametrize(
    ("arguments", "parameters", "macs"),
    [
        (["alexnet", "--variant", "paper"], 60_965_224, 724_406_816),
        (["lenet5", "--variant", "paper"], 60_000, 325_680),
        (["resnet20"], 269_722, 40_551_040),
        (["ResNet-20", "--variant", "B"], 272_474, 40_813_184),
    ],
)
def test_summary_of_variants(arguments, parameters, macs, capsys):
    assert main(["summary", *arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["parameters"], result["macs"]) == (parameters, macs)


def test_diff_lists_the_forms_and_their_layers(capsys):
    assert main(["diff", "resnet18", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    sizes = {row["variant"]: (row["parameters"], row["macs"]) for row in result["variants"]}
    assert sizes == {"notes": (11_689_512, 1_814_073_344), "paper": (11_515_688, 1_794_805_760),
                     "torchvision": (11_689_512, 1_814_073_344)}  # fmt: skip
    assert result["layers"][0] == {
        "layer": "layer2.0.downsample.0", "notes": "64→128 1×1 s2", "paper": "none",
        "torchvision": "64→128 1×1 s2",
    }  # fmt: skip
    assert len(result["layers"]) == 3
    assert {row["initialization"] for row in result["variants"]} == {
        "convolutions N(0, 2/fan_out), linear layers U(±1/√fan_in), biases too"
    }
    assert main(["diff", "alexnet"]) == 0
    text = capsys.readouterr().out
    assert "paper        Krizhevsky et al. 2012                60,965,224    724,406,816" in text
    (second,) = (line for line in text.splitlines() if line.startswith("features.4 "))
    assert second.split("  ")[-1].strip() == "64→192 5×5 p2"
    assert "96→256 5×5 p2 g2" in second
    assert "\npaper        N(0, 0.01²), biases 1 in conv2, 4 and 5 and in the hidden linear layers\n" in text
    assert main(["diff", "lenet5"]) == 0
    (c3,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("c3 "))
    assert c3.split("  ")[-1].strip() == "6→16 5×5, 60 of 96 pairs"
    assert main(["diff", "resnet56"]) == 0
    # ResNet-110 has 15 blocks of 2 convolutions more than ResNet-20 in 3 stages; option B has 2 of its own
    assert f"and {15 * 2 * 3 + 2 - 24} more; --json has them all" in capsys.readouterr().out


def test_diff_of_recurrent_cells(capsys):
    """Their known sizes, the parameters that differ, and a step of each as it runs."""
    assert main(["diff", "LSTM", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    sizes = {row["variant"]: (row["parameters"], row["macs"]) for row in result["variants"]}
    assert sizes == {
        "torch": (4 * (256 * (128 + 256) + 2 * 256), 4 * 256 * 384),
        "1997": (3 * (256 * (128 + 256) + 2 * 256), 3 * 256 * 384),
        "peephole": (395_264 + 3 * 256, 393_216),
        "projection": (4 * (256 * (128 + 64) + 2 * 256) + 64 * 256, 4 * 256 * 192 + 64 * 256),
    }
    assert {row["layer"]: row["projection"] for row in result["layers"]} == {
        "weight_ih_l0": "(1024, 128)", "weight_hh_l0": "(1024, 64)", "bias_ih_l0": "(1024,)",
        "bias_hh_l0": "(1024,)", "weight_peephole_l0": "none", "weight_hr_l0": "(64, 256)",
    }  # fmt: skip
    step = inspect.getsource(lstm._lstm).rstrip()
    assert step in result["equations"]["torch"] and step in result["equations"]["projection"]
    assert "new_c = c + i * g" in result["equations"]["1997"] and step not in result["equations"]["1997"]
    assert main(["diff", "gru"]) == 0
    text = capsys.readouterr().out
    assert text.count("296,448") == 2 and "parameters that are not alike" not in text
    assert text.index("def _gru(") < text.index("reset before: ") < text.index("def _gru_before(")
    assert main(["diff", "rnn"]) == 0
    text = capsys.readouterr().out
    assert "tanh     Elman 1990" in text
    assert "\ntanh, relu: hₜ = " in text and text.count("def _rnn(") == 1  # one rule, printed once


@pytest.mark.parametrize(("command", "others"), [("gradcheck", 0), ("verify", 2)])
def test_help_of_the_checks_explains_their_columns(command, others, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {column}" in text for column in ("order 1, 2  ", "tape  "))
    assert sum(f"\n  {column}  " in text for column in ("proof", "torch y, g")) == others


def test_gradcheck_of_some(capsys):
    assert main(["gradcheck", "Sigmoid", "log_softmax"]) == 0
    assert "3 of 3 passed" in capsys.readouterr().out
    assert main(["gradcheck", "sigmoid", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"]
    assert [row["name"] for row in result["operations"]] == ["sigmoid"]


def test_verify_of_some(capsys):
    pytest.importorskip("sympy")
    assert main(["verify", "sigmoid"]) == 0
    assert "1 of 1 passed" in capsys.readouterr().out
    assert main(["verify", "sigmoid", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"]
    assert result["operations"][0]["residual"] < 1e-12


@pytest.mark.parametrize("command", ["gradcheck", "verify"])
def test_a_check_that_fails_exits_with_1(capsys, monkeypatch, command):
    from tinygrad_notes.verify import report

    row = {"name": "sigmoid", "passed": False, "text": "sigmoid: factor 2", "order1": 0.5}
    monkeypatch.setattr(report, f"{command}_rows", lambda names: [row])
    assert main([command, "sigmoid"]) == 1
    assert "sigmoid: factor 2" in capsys.readouterr().out
    assert main([command, "sigmoid", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_derive(capsys):
    pytest.importorskip("sympy")
    assert main(["derive", "sigmoid"]) == 0
    text = capsys.readouterr().out
    assert "def backward(xp, gy, y):" in text
    assert main(["derive", "log"]) == 0
    assert "everywhere:\n    y = log(x)\n    ∂y/∂x = 1/x\n" in capsys.readouterr().out
    assert main(["derive", "maximum", "--json"]) == 0
    regions = json.loads(capsys.readouterr().out)["derivatives"]
    assert {(r["∂y/∂a"], r["∂y/∂b"]) for r in regions.values()} == {("1", "0"), ("0", "1")}
    assert main(["derive", "cross_entropy", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["operation"] == "CrossEntropy"
    assert "whole arrays" in result["derivatives"]


def test_derive_tells_the_steps(capsys):
    pytest.importorskip("sympy")
    assert main(["derive", "softmax"]) == 0
    text = capsys.readouterr().out
    assert "gxᵢ = Σⱼ gpⱼ ∂pⱼ/∂xᵢ" in text and "= pᵢ (gpᵢ − Σⱼ gpⱼ pⱼ)" in text and "residual" in text
    assert text.index("the gradient of x") < text.index("class Softmax(Function):")
    assert main(["derive", "batch-norm", "--numbers", "--lang", "zh"]) == 0
    text = capsys.readouterr().out
    assert "推导" in text and "链式法则" in text and "v = (1/2) ((1 − (−0.5))² + (−2 − (−0.5))²)" in text
    assert main(["derive", "adam", "--json", "--numbers"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["derivations"]
    assert told["rule"].startswith("tinygrad_notes/optim/adam.py:")
    assert all(step["residual"] < 1e-25 and step["residual_float64"] < 1e-9 for step in told["steps"])
    assert r"\beta_{1}^{t - s}" in told["steps"][0]["latex"]
    assert told["shipped"]["the shipped code"]["passed"]
    assert told["example"][0]["name"] == "β₁"
    assert main(["derive", "mse"]) == 0
    text = capsys.readouterr().out
    assert text.count("∂L/∂ŷᵢ") == 1
    assert (
        len(re.findall(r"\[residual \S+, in float64 \S+\]", text)) == 7
    )  # 4 steps, 3 of the rule: zeros too


def test_derive_fails_where_a_step_does_not_hold(capsys, monkeypatch):
    pytest.importorskip("sympy")
    from tinygrad_notes.verify.derivations.derivation import Entry

    build = Entry.build
    monkeypatch.setattr(Entry, "build", lambda entry, hand=False: build(entry, hand).planted(1))
    assert main(["derive", "tanh"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_derive_shows_the_chain_of_a_network(capsys):
    assert main(["derive", "lenet5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "loss back to the input" in lines[0]
    second = lines[4].split()
    assert second[:3] == ["2", "loss", "CrossEntropyOfClasses"] and "ops/loss.py:" in second[-1]
    assert sum("Conv2d " in line for line in lines) == 2 and "gx 2×1×32×32" in lines[-3]
    assert main(["derive", "resnet20", "--json"]) == 0
    chain = json.loads(capsys.readouterr().out)["chain"]
    assert {"Add", "BatchNorm", "Conv2d", "ReLU"} <= {row["operation"] for row in chain}
    assert all(row["takes"] and row["gives"] and row["layer"] for row in chain)
    for row in chain:
        file, line = row["where"].split(":")
        text = (Path(__file__).resolve().parents[2] / file).read_text()
        assert "def backward" in text.splitlines()[int(line) - 1]


def test_derive_without_sympy(capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sympy" else found(name))
    assert main(["derive", "relu"]) == 0
    assert "tinygrad-notes[verify]" in capsys.readouterr().out


def test_every_command_has_help_with_an_example(capsys):
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        assert f"tinygrad-notes {command}" in capsys.readouterr().out.partition("example:")[2]
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(command in listed for command in COMMANDS)
    assert main(["--version"]) == 0


HEAVY = ("rich", "matplotlib", "sympy", "safetensors", "PIL", "pandas", "torch", "urllib.request")


@pytest.mark.parametrize("words", [[], ["train"], *(["train", models[0]] for models in MODELS.values())])
def test_help_is_quick_to_load(words):
    """No command's own imports happen before the command runs, and no task's that is not asked for."""
    code = (
        f"import sys, tinygrad_notes.cli.parser as p; p.make_parser({[*words, '--help']!r});"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_training_lists_models_by_task(capsys):
    assert main(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{task}: {models[0]}" in text for task, models in MODELS.items())
    assert "--lr" in text and "--flip" not in text and "default 0.001" not in text


@pytest.mark.parametrize("words", [["lenet5", "--help"], ["--epochs", "3", "LeNet5", "--help"]])
def test_help_of_a_model_has_its_own_options_and_defaults(capsys, words):
    assert main(["train", *words]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for said in ("options of lenet5 (task: images)", "--epochs N passes over the training data (default 20)",
                 "learning rate at the start (default 0.003)", "--flip, --no-flip", "(default digits)",
                 "cosine (down to 0)"):  # fmt: skip
        assert said in text
    assert main(["train", "resnet20", "--help"]) == 0
    assert "passes over the training data (default 164)" in " ".join(capsys.readouterr().out.split())


def test_eval_and_predict_show_the_options_of_the_runs_task(run_folder, capsys):
    assert main(["eval", "--help"]) == 0
    assert "--ten-crop" not in capsys.readouterr().out
    assert main(["eval", str(run_folder), "--help"]) == 0
    assert "options of the task images" in (text := capsys.readouterr().out) and "--ten-crop" in text
    assert main(["predict", str(run_folder), "--help"]) == 0
    assert "--checkpoint" in capsys.readouterr().out


# ---- wrong use: exit 2, one sentence, no traceback ------------------------------------------------


def complain(arguments, capsys):
    code = main([str(a) for a in arguments])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.err
    return code, said.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "COMMAND"),
        (["trian"], "invalid choice"),
        (["train"], "train needs a MODEL"),
        (["train", "vgg"], "unknown model 'vgg'; train knows mlp, simplecnn, lenet5"),
        (["train", "mlp", "--lr", "-1"], "argument --lr: must be a number above 0, got '-1'"),
        (["train", "mlp", "--lr", "nan"], "argument --lr: must be a number above 0, got 'nan'"),
        (
            ["train", "mlp", "--epochs", "0"],
            "argument --epochs: must be a whole number of at least 1, got '0'",
        ),
        (
            ["train", "mlp", "--optimizer", "lion"],
            "argument --optimizer: must be one of sgd, adam, adamw, got 'lion'",
        ),
        (
            ["train", "mlp", "--schedule", "x"],
            "cosine, step, resnet, resnet-warmup, googlenet, linear, constant",
        ),
        (
            ["train", "mlp", "--momentum", "0.5"],
            "mlp is trained with adam: add --optimizer sgd, or leave out",
        ),
        (["train", "resnet20", "--optimizer", "adamw", "--momentum", "0"], "--momentum is of sgd"),
        (["train", "mlp", "--patience", "2", "--validation", "none"], "--patience needs a validation part"),
        (["train", "mlp", "--patience", "2", "--validation", "0"], "--patience needs a validation part"),
        (
            ["train", "mlp", "--validation", "1"],
            "must be a number of at least 0 and below 1 or a word or none",
        ),
        (["train", "mlp", "--shift", "28"], "leave nothing of images"),
        (["train", "mlp", "--on-error", "skip"], "--on-error is for images in files; digits has none"),
        (["train", "mlp", "--data", "nowhere"], "'nowhere' is neither a folder"),
        (["train", "mlp", "--unknown"], "unrecognized arguments"),
        (["train", "--resume", "nowhere"], "nowhere is not a folder"),
        (["train", "mlp", "--resume", "nowhere", "--lr", "1"], "leave out --lr, mlp"),
        (["train", "--resume", "nowhere", "--out", "x"], "options of the run; leave out --out"),
        (
            ["train", "mlp", "--target", "x"],
            "--data decides: train mlp --data penguins --target species --help",
        ),
        (
            ["study", "loss", "--no-plot", "--out", "x"],
            "--no-plot makes no picture: leave out --out or --no-plot",
        ),
        (["derive", "lenet5", "--numbers"], "--numbers is an example of an operation; lenet5 is a network"),
        (["eval", "nowhere"], "nowhere is not a folder"),
        (["train", "mlp", "--variant", "B"], "unknown variant 'B' of mlp; choose from notes"),
        (
            ["train", "alexnet", "--resize", "100"],
            "alexnet takes images of 227×227: --resize must be at least 227, got 100",
        ),
        (
            ["train", "googlenet", "--variant", "paper", "--size", "8"],
            "GoogLeNet: images must be at least 31×31, got 8×8",
        ),
        (["train", "mlp", "--on-error", "ignore"], "must be one of raise, skip, got 'ignore'"),
        (["summary", "lenet6"], "did you mean LeNet5"),
        (["summary", "alexnet", "--variant", "caffe"], "choose from notes; paper; torchvision"),
        (["summary", "mlp", "--variant", "caffe"], "there is one form only"),
        (["diff", "mlp"], "MLP has one form; those with several are LeNet5, AlexNet, "),
        (["diff", "alexnt"], "did you mean AlexNet"),
        (["diff", "lstn"], "did you mean LSTM"),
        (["graph", "nothing"], "known are"),
        (["derive", "sigmod"], "did you mean Sigmoid"),
        (["train", "lenet5", "--size", "28"], "LeNet-5: images must be 32×32, got 28×28"),
        (["gradcheck", "sigmod"], "did you mean Sigmoid"),
        (["gradcheck", "nosuch"], "unknown operation 'nosuch'; known are Abs, Add, "),
        (["verify", "sigmoid", "nosuch"], "unknown operation 'nosuch'; known are Abs, Add, "),
    ],
)
def test_wrong_use(arguments, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = complain(arguments, capsys)
    assert code == 2
    assert reason in said
    assert not list(tmp_path.iterdir())


def test_missing_data_says_what_to_do(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path))
    code, said = complain(["train", "mlp", "--data", "mnist", "--out", tmp_path / "r"], capsys)
    assert code == 2
    assert "mnist is not in" in said


def test_on_error_of_an_evaluation_needs_files(run_folder, capsys):
    code, said = complain(["eval", run_folder, "--on-error", "skip"], capsys)
    assert code == 2
    assert "digits has none" in said


def test_folder_in_use_is_not_overwritten(run_folder, capsys):
    before = (run_folder / "checkpoint.safetensors").read_bytes()
    code, said = complain(["train", "mlp", "--out", run_folder], capsys)
    assert code == 2
    assert "--resume" in said
    assert (run_folder / "checkpoint.safetensors").read_bytes() == before


def test_fewer_epochs_than_are_done(run_folder, tmp_path, capsys):
    shutil.copytree(run_folder, tmp_path / "r")
    main(["train", "--resume", str(tmp_path / "r"), "--epochs", "2"])
    capsys.readouterr()
    code, said = complain(["train", "--resume", tmp_path / "r", "--epochs", "1"], capsys)
    assert code == 2
    assert "already has 2 epochs" in said


def test_out_below_a_file(tmp_path, capsys):
    (tmp_path / "file").touch()
    code, said = complain(["train", "mlp", *QUICK, "--out", tmp_path / "file" / "r"], capsys)
    assert code == 2
    assert "file" in said


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_cannot_be_written(tmp_path, capsys):
    tmp_path.chmod(0o500)
    code, said = complain(["train", "mlp", *QUICK, "--out", tmp_path / "r"], capsys)
    tmp_path.chmod(0o700)
    assert code == 2
    assert "Permission denied" in said


def corrupt(folder, name, content):
    path = folder / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content(path.read_bytes()))


@pytest.mark.parametrize("command", [["eval", "--checkpoint", "last"], ["train", "--resume"]])
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", None, "has no config.json"),
        ("config.json", lambda b: b[:20], "config.json: no JSON, so it was cut off or edited: "),
        (
            "config.json",
            lambda b: b"[1]",
            "config.json: must be an object in braces with the keys facts, model,",
        ),
        (
            "config.json",
            lambda b: b"{}",
            "config.json: must be an object in braces with the keys facts, model,",
        ),
        (
            "config.json",
            lambda b: b.replace(b'"threads"', b'"thread": 1, "threads"'),
            "config.json: must be an object in braces with the keys facts, model,",
        ),
        ("config.json", lambda b: b"[" * 100_000, "config.json: nested too deeply"),
        ("config.json", lambda b: b.replace(b'"digits"', b"5"), "data must be a word, got 5"),
        (
            "config.json",
            lambda b: b.replace(b'"limit": 200', b'"limit": true'),
            "limit must be a whole number",
        ),
        ("config.json", lambda b: b.replace(b'"flip": false', b'"flip": "no"'), "flip must be true or false"),
        ("config.json", lambda b: b.replace(b'"mean": [', b'"mean": [[1],'), "mean is [[1], "),
        ("config.json", lambda b: b.replace(b'"lr"', b'"rate"'), "unknown options ['rate']"),
        ("checkpoint.safetensors", None, "there is no such file"),
        ("checkpoint.safetensors", lambda b: b[:-9], "truncated"),
        ("checkpoint.safetensors", lambda b: b"not a checkpoint", "not a safetensors file"),
        ("checkpoint.safetensors", lambda b: b[:-1] + b"\x77", "checksum"),
    ],
)
def test_damaged_run_folder(run_folder, tmp_path, capsys, command, name, content, reason):
    shutil.copytree(run_folder, tmp_path / "r")
    corrupt(tmp_path / "r", name, content)
    code, said = complain([*command, tmp_path / "r"], capsys)
    assert code == 2
    assert reason in said


@pytest.mark.parametrize("content", [lambda b: b[:-9], lambda b: b[:-1] + b"\x77"])
def test_damaged_best_weights(run_folder, tmp_path, capsys, content):
    shutil.copytree(run_folder, tmp_path / "r")
    corrupt(tmp_path / "r", "best.safetensors", content)
    code, said = complain(["eval", tmp_path / "r"], capsys)
    assert code == 2
    assert "best.safetensors: " in said
    assert main(["eval", str(tmp_path / "r"), "--checkpoint", "last"]) == 0


def test_eval_on_data_that_do_not_fit(run_folder, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for i in range(1, 6):
        rng.integers(0, 10, (2, 3073), np.uint8).tofile(tmp_path / f"data_batch_{i}.bin")
    rng.integers(0, 10, (2, 3073), np.uint8).tofile(tmp_path / "test_batch.bin")
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    code, said = complain(["eval", run_folder, "--data", tmp_path], capsys)
    assert code == 2
    assert "tells apart 10 classes (0, 1, 2, ...), but" in said
    assert "has 10 classes (a, b, c, ...)" in said


def test_divergence_exits_with_1_and_keeps_the_checkpoint(tmp_path, capsys):
    out = tmp_path / "r"
    code = main(["train", "mlp", *QUICK, "--out", str(out), "--lr", "1e30", "--optimizer", "sgd"])
    assert code == 1
    assert "--lr" in capsys.readouterr().err.splitlines()[-1]
    assert load(out / "checkpoint.safetensors")["resume"]["batch"] == 0


def test_anomaly_of_a_forward_comes_with_its_place(tmp_path, capsys):
    options = [*QUICK, "--out", str(tmp_path / "r"), "--lr", "1e30", "--optimizer", "sgd", "--detect-anomaly"]
    assert main(["train", "mlp", *options]) == 1
    said = capsys.readouterr().err
    assert "detect_anomaly: the forward of Linear is NaN or infinite; its inputs are finite\n" in said
    assert "mlp.py" in said and "return F.linear(input, self.weight, self.bias)" in said


def test_anomaly_of_a_backward_comes_with_the_place_of_its_forward(tmp_path, capsys, monkeypatch):
    from tinygrad_notes.models import MLP

    def forward(self, x):
        y = self.layers(x)
        return y + (y * 0).sqrt()  # the slope at 0 is infinite

    monkeypatch.setattr(MLP, "forward", forward)
    options = [*QUICK, "--out", str(tmp_path / "r"), "--detect-anomaly"]
    assert main(["train", "mlp", *options]) == 1
    said = capsys.readouterr().err
    assert "backward of Sqrt gave NaN or infinity. Its forward was called here:\n" in said
    assert "\n    return y + (y * 0).sqrt()" in said


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("TINYGRAD_NOTES_DEBUG", "1")
    with pytest.raises(ValueError, match="unknown network"):
        main(["summary", "nothing"])


def test_bugs_are_not_called_wrong_use(monkeypatch, capsys):
    from tinygrad_notes.cli import inspection

    monkeypatch.setattr(inspection, "find_network", lambda *names: 1 / 0)
    assert main(["summary", "x"]) == 1
    assert "unexpected ZeroDivisionError" in capsys.readouterr().err


def test_training_without_matplotlib_succeeds(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["train", "mlp", *QUICK, "--out", str(tmp_path / "r")]) == 0
    assert "no plots: plots need Matplotlib" in capsys.readouterr().err


def test_a_training_whose_plots_fail_succeeds(tmp_path, monkeypatch, capsys):
    def full(run, outcome):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "plot", full)
    assert main(["train", "mlp", *QUICK, "--out", str(tmp_path / "r"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["epoch"] == 1
    assert said.err.splitlines()[-1] == "no plots: [Errno 28] No space left on device"


def test_the_hint_to_resume_can_be_copied(tmp_path, monkeypatch, capsys):
    def stopped(run, **options):
        raise Interrupted("epoch 1, batch 2")

    monkeypatch.setattr(Run, "fit", stopped)
    out = tmp_path / "a b$"
    assert main(["train", "mlp", *QUICK, "--out", str(out)]) == 130
    assert shlex.split(capsys.readouterr().err.splitlines()[-1])[-1] == str(out)
    assert main(["train", "mlp", *QUICK, "--out", str(out)]) == 2
    assert f"--resume '{out}' or" in capsys.readouterr().err


LIMITED = """
import resource, sys
from tinygrad_notes.train import run
from tinygrad_notes import backend
from tinygrad_notes.cli import main
class Limited(run.Run):
    def {method}(self, *arguments):
        resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
        return super().{method}(*arguments)
import tinygrad_notes.cli.training as training
training.Run = Limited
sys.exit(main(["train", "mlp", "--limit", "64", "--epochs", "1", "--out", sys.argv[1]]))
"""


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="the system has no limits")
@pytest.mark.parametrize(
    ("method", "size", "name"),
    [
        ("write_config", 10, "config.json"),
        ("save", 1000, "checkpoint.safetensors"),
        ("plot", 0, None),
    ],
)
def test_a_full_disk_is_told_with_the_file(tmp_path, method, size, name):
    code = LIMITED.format(method=method, size=size)
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "r"], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    if name is None:
        assert done.returncode == 0 and last.startswith("no plots: ")
    else:
        assert (done.returncode, last) == (2, f"tinygrad-notes: {tmp_path / 'r' / name}: File too large")
        assert not (tmp_path / "r").exists()


# ---- as a process --------------------------------------------------------------------------------


def test_output_into_pipes_is_short_and_plain(tmp_path):
    options = ["--limit", "300", "--epochs", "2", "--batch-size", "4", "--out", tmp_path / "r"]
    process = start("train", "lenet5", *options, env={"PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"})
    code, out, err = finish(process)
    assert code == 0
    lines = (out + err).splitlines()
    assert len(lines) <= 6
    assert all(line.isascii() and line.isprintable() and len(line) <= 200 for line in lines)


@pytest.fixture
def heard():
    """Processes hear every signal, also where the tests were started deaf to some: nohup, the background."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in interrupt.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", interrupt.SIGNALS)
def test_interrupted_training_saves_and_goes_on(tmp_path, number, heard):
    options = ["--limit", "250", "--epochs", "40", "--batch-size", "4", "--seed", "2"]
    process = start("train", "lenet5", *options, "--out", tmp_path / "r")
    for line in process.stderr:
        if "epoch  1/40" in line:
            break
    process.send_signal(number)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert "interrupted at epoch" in err
    assert f"train --resume {tmp_path / 'r'}" in err
    state = load(tmp_path / "r" / "checkpoint.safetensors")["resume"]
    done = len(state["history"])
    assert 1 <= done < 40
    code = main(["train", "--resume", str(tmp_path / "r"), "--epochs", str(done + 1)])
    assert code == 0
    assert len((tmp_path / "r" / "metrics.jsonl").read_text().splitlines()) == done + 1


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_training_whose_terminal_is_closed_saves(tmp_path, heard):
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tinygrad_notes", "train", "lenet5", "--batch-size", "4", "--epochs", "40",
         "--limit", "250", "--out", tmp_path / "r"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"epoch  1/40" not in said:
        said += os.read(ours, 1000)
    os.close(ours)
    time.sleep(0.3)  # it goes on, and shows its progress to nobody
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 130
    state = load(tmp_path / "r" / "checkpoint.safetensors")["resume"]
    assert state["history"] or state["batch"]


def test_reader_that_leaves_early():
    process = start("summary", "lenet5")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def in_shell(redirection, *arguments):
    command = shlex.join([sys.executable, "-m", "tinygrad_notes", *map(str, arguments)])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.run(
        ["sh", "-c", f"{command} {redirection}"], env=environment, capture_output=True, text=True
    )


posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


@posix
@pytest.mark.parametrize("redirection", ["2>&-", pytest.param("2>/dev/full", marks=full)])
def test_training_needs_nobody_who_reads_its_progress(tmp_path, redirection):
    done = in_shell(redirection, "train", "mlp", *QUICK, "--out", tmp_path / "r", "--json")
    assert (done.returncode, json.loads(done.stdout)["epoch"]) == (0, 1)
    done = in_shell(redirection, "train", "vgg")
    assert (done.returncode, done.stdout) == (2, "")
    done = in_shell(redirection, "trian")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_loses_no_letter(encoding, monkeypatch):
    names = ["\u03b5", "\u00fc", "\udcff"]
    for name in names:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
        monkeypatch.setattr(sys, "stdout", stream)
        print_json({"class": name})
        stream.flush()
        written = stream.buffer.getvalue().decode(encoding)
        assert json.loads(written) == {"class": name}
        plain = {"ascii": "", "latin-1": "\u00fc", "utf-8": "\u03b5\u00fc"}[encoding]
        assert ("\\u" in written) == (name not in plain)


@posix
def test_results_that_nobody_wants(run_folder):
    for command in (["doctor"], ["eval", run_folder], ["eval", run_folder, "--json"], ["--help"]):
        done = in_shell(">&-", *command)
        assert (done.returncode, done.stderr) == (0, "")


@posix
@full
def test_a_result_that_cannot_be_written_is_an_error():
    done = in_shell(">/dev/full", "summary", "lenet5")
    assert (done.returncode, done.stderr) == (2, "tinygrad-notes: No space left on device\n")


@pytest.fixture
def no_cupy(tmp_path):
    """An environment that asks for CuPy and cannot have it."""
    (tmp_path / "cupy.py").write_text("raise ImportError('libcuda.so.1 is missing')")
    return {"BACKEND": "cupy", "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT), *sys.path])}


def test_backend_that_is_not_there_is_one_sentence(no_cupy):
    code, out, err = finish(start("summary", "lenet5", env=no_cupy))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "BACKEND=cupy: CuPy does not load (libcuda.so.1 is missing); see what" in err


def test_doctor_explains_a_backend_that_is_not_there(no_cupy):
    code, out, err = finish(start("doctor", "--json", env=no_cupy))
    assert (code, err) == (1, "")
    result = json.loads(out)
    assert result["usable"] is False
    assert "libcuda.so.1 is missing" in result["cupy"]
    assert "BACKEND=cupy: CuPy does not load (libcuda.so.1 is missing)" in result["backend"]


def test_help_needs_no_backend(no_cupy, tmp_path):
    code, out, _ = finish(start("train", "--help", env=no_cupy))
    assert code == 0
    assert "tinygrad-notes train lenet5" in out
    script = tmp_path / "tinygrad-notes"  # the installed command
    script.write_text("import sys\nfrom tinygrad_notes.cli import main\nsys.exit(main())")
    done = subprocess.run([sys.executable, script, "--help"], env={**os.environ, **no_cupy})
    assert done.returncode == 0


def test_doctor_tells_a_backend_that_fails(monkeypatch, capsys):
    def fail(data):
        raise OSError("libnvrtc.so.12:\n cannot open")

    monkeypatch.setattr("tinygrad_notes.backend.asarray", fail)
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["backend"].endswith("OSError: libnvrtc.so.12: cannot open")


def test_unknown_backend_is_one_sentence():
    code, _, err = finish(start("summary", "lenet5", env={"BACKEND": "torch"}))
    assert code == 2
    assert "unknown backend 'torch'" in err


def test_a_narrow_terminal_loses_no_number(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    print_table(["true", "airplane", "automobile"], [["airplane", "123,456", "100.00 %"]])
    text = re.sub(r"\x1b\[[0-9;]*m", "", sys.stdout.getvalue())
    lines = [line.split() for line in text.splitlines() if line.strip("─ ")]
    assert lines == [["true", "airplane", "automobile"], ["airplane", "123,456", "100.00", "%"]]
