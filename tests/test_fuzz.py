"""`make fuzz`: what fails is printed with its example, and the exit status says so."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROPERTY = """
from hypothesis import given
from hypothesis import strategies as st

@given(st.integers())
def test_below_a_thousand(x):
    assert x < 1000
"""


def fuzz(*arguments):
    command = [sys.executable, str(ROOT / ".ci" / "fuzz.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_failure_is_printed_and_its_test_left_out(tmp_path):
    (tmp_path / "test_bad.py").write_text(PROPERTY)
    answer = fuzz(2, tmp_path)  # ends at once, since no other test is left
    assert answer.returncode == 1
    assert "x=1000" in answer.stdout and "::test_below_a_thousand" in answer.stdout.splitlines()[-1]


def test_a_folder_without_properties_is_refused(tmp_path):
    answer = fuzz(1, tmp_path)
    assert answer.returncode == 1 and "no property-based tests" in answer.stderr
    assert fuzz().returncode == 1
