"""Which lines and branches of the operations the tests run: python .ci/covered.py

Prints the uncovered ones of every file of ops. Fails if one of them is in a rule: each line of a forward, a
save or a backward must be run, and each branch both ways.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPS = ROOT / "tinygrad_notes" / "ops"
TESTS = ["tests/ops", "tests/nn/test_functional_names.py"]
RUN_NO_OTHER_LINE = "torch or symbolic or memory_layout or not_changed or dtype"  # parts of names of tests
CONFIGURATION = """\
[run]
branch = true
parallel = true
patch = subprocess
include = */tinygrad_notes/ops/*
data_file = {data}
[report]
exclude_also =
    if TYPE_CHECKING:
"""


def rules(text: str) -> dict[int, str]:
    """Line → "Function.rule" for every line of a rule."""
    return {
        line: f"{operation.name}.{rule.name}"
        for operation in ast.parse(text).body
        if isinstance(operation, ast.ClassDef)
        and "Function" in {getattr(b, "id", "") for b in operation.bases}
        for rule in operation.body
        if isinstance(rule, ast.FunctionDef)
        for line in range(rule.lineno, rule.end_lineno + 1)
    }


def uncovered(found: dict) -> list[str]:
    """The rules with a line or a branch that no test ran, of coverage's JSON."""
    out = []
    for name, file in found["files"].items():
        of_rule = rules((ROOT / name).read_text(encoding="utf-8"))
        lines = {*file["missing_lines"], *(start for start, _ in file["missing_branches"])}
        out += [f"{name}:{line} in {of_rule[line]}" for line in sorted(lines) if line in of_rule]
    return out


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        settings, result = Path(folder, "coveragerc"), Path(folder, "coverage.json")
        settings.write_text(CONFIGURATION.format(data=Path(folder, "data")), encoding="utf-8")

        def coverage(*words: str) -> int:
            command = [sys.executable, "-m", "coverage", words[0], f"--rcfile={settings}", *words[1:]]
            return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode

        status = coverage("run", "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider",
                          "-k", f"not ({RUN_NO_OTHER_LINE})", *TESTS)  # fmt: skip
        if status:
            return status
        coverage("combine", "--quiet")
        coverage("report", "--show-missing", "--skip-covered")
        coverage("json", "--quiet", "-o", str(result))
        missing = uncovered(json.loads(result.read_text(encoding="utf-8")))
    for line in missing:
        print(f"error: no test runs {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
