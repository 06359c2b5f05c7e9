"""The package can be built with everything in it, and the environment of `make` is never half made."""

import importlib.util
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import tinygrad_notes as tg

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_version_is_stated_once_and_in_the_changelog():
    assert PROJECT["version"] == tg.__version__
    assert f"## [{tg.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_script_starts_what_it_says():
    module, function = PROJECT["scripts"]["tinygrad-notes"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_core_dependencies_are_few():
    names = {d.split(">")[0] for d in PROJECT["dependencies"]}
    assert names == {"numpy", "rich", "safetensors"}


def test_import_needs_only_the_core():
    """Nothing optional is loaded by ``import tinygrad_notes``: an environment without extras works."""
    optional = ("matplotlib", "sympy", "PIL", "torch")
    code = f"import sys, tinygrad_notes; print([m for m in {optional!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wheel_holds_the_package_and_nothing_else(tmp_path):
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {n for n in names if n.startswith("tinygrad_notes/")}
    rest = {n.split("/")[0] for n in names - package}
    assert rest == {f"tinygrad_notes-{tg.__version__}.dist-info"}
    sources = {
        f.relative_to(ROOT).as_posix()
        for f in (ROOT / "tinygrad_notes").rglob("*")
        if f.is_file() and f.suffix != ".pyc"
    }
    assert package == sources
    assert {"tinygrad_notes/data/digits.npz", "tinygrad_notes/data/DIGITS.md"} <= package


# ---- .ci/venv.py -------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """.ci/venv.py with a folder to work in, and pip and venv replaced by a record of their calls."""
    spec = importlib.util.spec_from_file_location("venv_script", ROOT / ".ci" / "venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("a = 1")
    calls = []

    def run(command, check, cwd=None):
        words = [str(word) for word in command]
        kind = "pip" if "pip" in words else "venv" if "venv" in words else "probe"
        calls.append(f"{kind} {words[-1]}" if kind == "pip" else kind)
        if kind == "venv":
            (tmp_path / ".venv").mkdir()
        if module.fails == kind:
            raise subprocess.CalledProcessError(1, command)

    module.fails = None
    module.calls = calls
    module.root = tmp_path
    monkeypatch.setattr(module.subprocess, "run", run)
    return module


def test_environment_is_made_once(checkout):
    assert checkout.main(["plot"], checkout.root) == 0
    assert checkout.calls == ["venv", "pip .[plot]"]
    checkout.calls.clear()
    assert checkout.main(["plot"], checkout.root) == 0
    assert checkout.calls == ["probe"]


def test_environment_grows_and_follows_pyproject(checkout):
    checkout.main(["plot"], checkout.root)
    checkout.calls.clear()
    checkout.main(["dev"], checkout.root)
    assert checkout.calls == ["probe", "pip .[dev,plot]"]
    checkout.calls.clear()
    (checkout.root / "pyproject.toml").write_text("a = 2")
    checkout.main(["plot"], checkout.root)
    assert checkout.calls == ["probe", "pip .[dev,plot]"]


@pytest.mark.parametrize("stage", ["venv", "pip"])
def test_interrupted_environment_is_made_again(checkout, stage, capsys):
    checkout.fails = stage
    assert checkout.main(["plot"], checkout.root) == 2
    assert "package index" in capsys.readouterr().err
    assert not (checkout.root / ".venv" / "installed.json").exists()
    checkout.fails = None
    checkout.calls.clear()
    assert checkout.main(["plot"], checkout.root) == 0
    assert checkout.calls == ["venv", "pip .[plot]"]
    record = json.loads((checkout.root / ".venv" / "installed.json").read_text())
    assert record["extras"] == ["plot"]


def test_another_python_makes_the_environment_anew(checkout, monkeypatch):
    checkout.main(["plot"], checkout.root)
    checkout.calls.clear()
    monkeypatch.setattr(checkout.sys, "version_info", (3, 99, 0, "final", 0))
    checkout.main(["plot"], checkout.root)
    assert checkout.calls == ["venv", "pip .[plot]"]
    checkout.calls.clear()
    checkout.main(["plot"], checkout.root)
    assert checkout.calls == ["probe"]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"null", b"[]", b"3", b"\xff", b'{"python": [3, 99]}'])
def test_damaged_record_counts_as_none(checkout, monkeypatch, content):
    monkeypatch.setattr(checkout.sys, "version_info", (3, 99, 0, "final", 0))
    checkout.main(["plot"], checkout.root)
    (checkout.root / ".venv" / "installed.json").write_bytes(content)
    checkout.calls.clear()
    assert checkout.main(["plot"], checkout.root) == 0
    assert [call for call in checkout.calls if call != "probe"] == ["venv", "pip .[plot]"]


def test_old_python_is_told_so(checkout, monkeypatch, capsys):
    class Old(tuple):
        __slots__ = ()

    monkeypatch.setattr(checkout.sys, "version_info", Old((3, 9, 0, "final", 0)))
    assert checkout.main(["plot"], checkout.root) == 2
    assert "3.11 or newer is needed" in capsys.readouterr().err
    assert not checkout.calls


def test_makefile_names_a_missing_python():
    done = subprocess.run(["make", "PYTHON=", "train"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "no Python 3.11 or newer found" in done.stderr
