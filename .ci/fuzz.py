"""The property-based tests again and again, each round with a new seed: python .ci/fuzz.py MINUTES [PATH ...]

One round for each core at a time, test files in random order. A failure is printed as pytest does, with the
example that fails and the line (@reproduce_failure) that brings it back; later rounds leave its test out.
The exit status is 1 if any test failed, else 0. Without PATH: all tests.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTHING = 5  # pytest's status where no test is left to run
ENVIRONMENT = {**os.environ, "HYPOTHESIS_PROFILE": "fuzz", "OPENBLAS_NUM_THREADS": "2"}


class Round:
    """One run of pytest over `files`, in a process of its own."""

    def __init__(self, files: list[Path], failed: set[str]) -> None:
        self.seed = random.SystemRandom().getrandbits(32)
        order = random.Random(self.seed).sample(files, len(files))
        names = {test.rpartition("::")[2].partition("[")[0] for test in failed}
        others = ["-k", " and ".join(f"not {name}" for name in sorted(names))] if names else []
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the process)
        self.stopped = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-m", "hypothesis", f"--hypothesis-seed={self.seed}", "-q",
             "--tb=short", "-p", "no:cacheprovider", *others, *order],
            cwd=ROOT, env=ENVIRONMENT, stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        """Time is up: pytest reports what it has found so far."""
        if self.process.poll() is None:
            self.stopped = True
            self.process.send_signal(signal.SIGINT)
            self.process.wait()

    def failures(self) -> set[str]:
        """The tests that failed, after they are printed; SystemExit if pytest itself could not run."""
        self.output.seek(0)
        text = self.output.read()
        failed = set(re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE))
        broken = not (failed or self.stopped) and self.process.returncode not in (0, NOTHING)
        if failed or broken:
            print(text, flush=True)
        if broken:
            sys.exit(f"fuzz: pytest ended with status {self.process.returncode}")
        return failed


def main(minutes: float, paths: list[str]) -> int:
    until = time.monotonic() + 60 * minutes
    files = test_files(paths)
    failed: set[str] = set()
    rounds, running = 0, [Round(files, failed) for _ in range(os.cpu_count() or 1)]
    while running:
        time.sleep(0.2)
        late = time.monotonic() > until
        for one in list(running):
            if late:
                one.stop()
            if one.process.poll() is None:
                continue
            running.remove(one)
            rounds += not one.stopped
            failed |= one.failures()
            if not late and one.process.returncode != NOTHING:
                running.append(Round(files, failed))
    print(f"fuzz: {len(files)} files, {rounds} whole rounds in {minutes:g} minutes; failed: {len(failed)}")
    print(*sorted(failed), sep="\n", end="\n" if failed else "")
    return 1 if failed else 0


def test_files(paths: list[str]) -> list[Path]:
    """The files with property-based tests under `paths`."""
    found = [
        file
        for path in paths or ["tests"]
        for file in ([ROOT / path] if path.endswith(".py") else sorted((ROOT / path).rglob("test_*.py")))
        if re.search(r"^from hypothesis import .*\bgiven\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    if not found:
        sys.exit(f"fuzz: no property-based tests under {paths}; name files or folders of tests/")
    return found


if __name__ == "__main__":
    try:
        minutes = float(sys.argv[1])
    except (IndexError, ValueError):
        sys.exit("usage: python .ci/fuzz.py MINUTES [PATH ...]")
    sys.exit(main(minutes, sys.argv[2:]))
