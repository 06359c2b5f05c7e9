"""``python -m benchmarks.gpu``: what it counts on the stand-in, and that a card would get the whole of it."""

import io
import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from cuda_cases import needs_compiler
from rich.console import Console

import tinygrad_notes as tg
from benchmarks import gpu as command
from benchmarks import gpu_case, gpu_row, harness
from tinygrad_notes.models.count import undrawn

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"gflops": 1000.0, "gbs": 100.0}


def test_the_rules_of_a_step_are_counted():
    x, w = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0, 4.0])
    with gpu_case.rules_counted() as counted:
        (tg.exp(x) * w).sum().backward()  # w asks for no gradient: its rule is not run
    assert counted == {"forward": 3, "backward": 3}
    with gpu_case.rules_counted() as counted:
        pass
    assert counted == {}


def test_a_step_is_counted_and_does_not_wait(gpu):
    row = gpu_row.dry("mlp")
    assert row["updates"] == 6 and row["rules"] == row["forward"] + row["backward"] + 6
    assert row["launches"] > 0 and row["launches_per_rule"] == round(row["launches"] / row["rules"], 2)
    assert (row["syncs"], row["transfers"]) == (0, 0)
    assert row["captured_equal"] and row["captured_launches"] == 1


@needs_compiler
@pytest.mark.parametrize(
    ("name", "most"),
    [("mlp", 1.35), ("lenet5", 1.3), ("googlenet", 1.35), ("resnet18", 1.8), ("gru", 16.6), ("encoder", 1.1)],
)
def test_a_step_launches_no_more_than_is_told(gpu, monkeypatch, name, most):
    """As the table of docs/gpu.md has it; a recurrence has 50 steps there, a product and a kernel each."""
    monkeypatch.setattr(tg, "capture", lambda step: step)  # which is not asked for here
    assert 0.9 < gpu_row.dry(name)["launches_per_rule"] <= most


def test_tiny_cases_have_the_layers_of_the_whole_ones():
    for name in ("mlp", "lenet5", "googlenet", "resnet18", "lstm", "gru", "encoder"):
        whole, tiny = gpu_case.case_of(name), gpu_case.case_of(name, tiny=True)
        assert sum(a.size for a in tiny.arrays) < sum(a.size for a in whole.arrays)
        assert tiny.optimizer == whole.optimizer and whole.gflop > 0
    for name in ("vgg16", "alexnet"):  # on smaller images, or narrow at their end
        with undrawn():
            whole, tiny = (gpu_case.case_of(name, tiny).build(tg, 0.0).modules() for tiny in (False, True))
        assert list(map(type, whole)) == list(map(type, tiny))


@needs_compiler
def test_the_command_counts_without_a_card():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--dry-run", "mlp", "gru"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mlp" in done.stdout and "gru" in done.stdout and "launches per rule" in done.stdout


def test_a_card_gets_equal_losses_times_and_memory(gpu, monkeypatch):
    pytest.importorskip("torch")
    whole = gpu_case.case_of
    monkeypatch.setattr(gpu_case, "case_of", lambda name: whole(name, tiny=True))
    monkeypatch.setattr(gpu_row, "BURST", 0.001)
    row = gpu_row.measured("lenet5", 0.01, {"gflops": 1e-3, "gbs": 1e-6})
    assert row["name"] == "lenet5" and min(row["ours"], row["torch"], row["first_s"]) > 0
    assert row["ratio_ours"] == pytest.approx(row["ours"] / row["torch"], rel=0.1, abs=0.01)
    assert row["percent_of_copy"] > 0 and row["mib_ours"] >= 0
    assert row["captured"] > 0 and row["mib_captured"] == 0  # the stand-in's memory stays free


def test_other_losses_are_not_timed():
    losses = iter([1.0, 0.5, 0.2])
    with pytest.raises(RuntimeError, match=r"mlp: losses .* of PyTorch; nothing timed"):
        gpu_row.check("mlp", [1.0, 0.5, 0.25], lambda: tg.Tensor(next(losses)), "PyTorch")


def test_traffic_is_what_the_graph_keeps_and_the_update():
    """Weights are kept for the backward, and moved eight times by Adam; activations are few here."""
    case = gpu_case.case_of("mlp", tiny=True)
    weights = 4 * sum(p.size for p in case.build(tg, 0.0).parameters())
    assert 8 * weights / 1e9 < gpu_case.traffic(case) < (8 + 2 * 2) * weights / 1e9


# ---- the command around the rows ------------------------------------------------------------------


def test_a_row_that_fails_or_takes_too_long_is_told():
    with pytest.raises(command.Stopped, match=r"limits: .*set BACKEND=cupy"):
        command.row("limits", 60, {"BACKEND": "numpy"})
    with pytest.raises(command.Stopped, match="mlp: not done after 0 s"):
        command.row("mlp", 0.01, {"BACKEND": "numpy"})


def test_tests_that_fail_are_told(monkeypatch):
    monkeypatch.setattr(command, "TESTS", ("nothing_of_this_name",))
    passed, said = command.suite(60)
    assert not passed and said
    passed, said = command.suite(0.01)
    assert not passed and said == "not done after 0 s"


@pytest.fixture
def card(monkeypatch, tmp_path):
    """The command with rows that are given; what it would ask for is kept."""
    asked = []

    def row(name, seconds, environment, *words):
        asked.append(name)
        assert environment["BACKEND"] == "cupy"
        if name == "limits":
            return LIMITS
        if name == "gru":
            raise command.Stopped("gru: losses differ")
        assert json.loads(words[3]) == LIMITS
        return {"name": name, "unit": "ms", "ours": 2.0, "torch": 1.0, "ratio_ours": 2.0}

    monkeypatch.setattr(command, "row", row)
    monkeypatch.setattr(command, "dry_row", lambda name: {"launches": 24})
    monkeypatch.setattr(command, "suite", lambda seconds: (True, "7 passed"))
    monkeypatch.setattr(harness, "HISTORY", tmp_path / "history.jsonl")
    monkeypatch.setattr(harness, "setting", lambda: {"gpu": "A card"})
    monkeypatch.setenv("BACKEND", "cupy")
    return asked


def test_the_rows_are_shown_and_kept(card, tmp_path):
    console = Console(width=200, record=True, file=io.StringIO())
    options = Namespace(minutes=8, seconds=1, no_tests=False, record=True)
    assert command.measure(console, ["mlp", "gru", "lstm"], options) == ["gru: losses differ"]
    text = console.export_text()
    assert card == ["limits", "mlp", "gru", "lstm"] and "7 passed" in text and "product 1.0 TFLOP/s" in text
    assert "launches" in text and "24" in text and "captured" not in text
    kept = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["name"] for line in kept] == ["gpu mlp", "gpu lstm"]
    assert kept[0] | {"gpu": "A card", "limit_gflops": 1000.0, "limit_gbs": 100.0, "ours": 2.0} == kept[0]


def test_the_time_is_kept(card):
    console = Console(width=200, file=io.StringIO())
    options = Namespace(minutes=0.1, seconds=1, no_tests=True, record=False)
    assert command.measure(console, ["mlp"], options) == ["mlp: no time left"]


@pytest.mark.parametrize("words", [["nothing"], ["--dry-run", "--record"]])
def test_wrong_use_is_told(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2 and "error: " in capsys.readouterr().err
