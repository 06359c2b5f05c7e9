"""Kernels in CUDA C read and write only what is theirs: the same tests, under the compiler's sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_cases import needs_compiler

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = (  # tests of other types, or of what is chosen, counted or refused before a kernel runs
    "float16", "float64", "launches", "stands_out", "choice", "precision", "counts", "errors", "raises",
    "captured",
)  # fmt: skip


def _library(name: str) -> str | None:
    """Where g++ has a library; None if it has not."""
    if shutil.which("g++") is None:
        return None
    command = ["g++", f"-print-file-name={name}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return found if Path(found).is_absolute() else None


@needs_compiler
@pytest.mark.timeout(900)  # it compiles all texts anew, beside other tests
@pytest.mark.skipif(_library("libasan.so") is None, reason="g++ has no address sanitizer here")
def test_kernels_stay_within_their_arrays():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {
        "BACKEND": "cupy", "PYTHONPATH": f"{ROOT / 'tests' / 'standin'}{os.pathsep}{ROOT}", "CI": "true",
        "STANDIN_FLAGS": "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all",
        "LD_PRELOAD": str(_library("libasan.so")), "ASAN_OPTIONS": "detect_leaks=0",
    }  # fmt: skip
    tests = sorted(str(path) for path in Path(__file__).parent.glob("test_cuda_[!bc]*.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-x", "-p", "no:cacheprovider", *tests]
    command += ["-k", f"not ({' or '.join(ELSEWHERE)})"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
