"""Each script of examples/ is short, runs as it stands, and shows what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAYS = {  # script: what its output must hold
    "xor": r"0 xor 0 = 0\n0 xor 1 = 1\n1 xor 0 = 1\n1 xor 1 = 0",
    "digits": r"epoch 3: 9\d\.\d\d % of 2,000 test digits right",
    "own_operation": r"agree with finite differences\n.*largest difference (0|\de-[3-9]\d)",
    "newton": r"step 7  f = \d\.\d+e(-[1-9]\d|\+00)  at \(1\.000000, 1\.000000\)",
    "table": r"sex: \d missing values become female\n(.*\n)+68 unseen penguins: off by [23]\d\d g",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_example(name, tmp_path):
    pytest.importorskip("sympy", reason="the proof of an example needs sympy")
    pytest.importorskip("pandas", reason="the table of an example needs pandas")
    script = ROOT / "examples" / f"{name}.py"
    assert len(script.read_text().splitlines()) <= 40
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, timeout=200,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(SAYS[name], done.stdout), done.stdout
