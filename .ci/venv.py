"""Make .venv and install the package in it, editable, with the extras named on the command line.

    python .ci/venv.py plot          # what `make train` needs
    python .ci/venv.py dev           # what `make test` needs

Does nothing if that is done already and pyproject.toml has not changed, so a second run needs no
network; what another version of Python made is made anew. The record of what is installed is removed
before an installation and written after it: an interrupted one is started again. A lock keeps two runs
apart.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM = (3, 11)


def main(extras, root=Path()):
    """Bring root/.venv to `extras`; the exit status."""
    if sys.version_info < MINIMUM:
        return complain(
            f"Python {sys.version.split()[0]} is too old, 3.11 or newer is needed; name one with "
            "`make PYTHON=/path/to/python3 ...`"
        )
    if not has_venv():
        return complain(
            "this Python cannot make virtual environments; install its venv module "
            "(Debian and Ubuntu: apt install python3-venv), or name another one with "
            "`make PYTHON=/path/to/python3 ...`"
        )
    with open(root / ".venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            bring_up_to_date(root, set(extras))
        except subprocess.CalledProcessError as error:
            return complain(
                f"{' '.join(map(str, error.cmd))} failed; the first run, and the first one after a "
                "change of pyproject.toml, need a package index"
            )
    return 0


def has_venv():
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def bring_up_to_date(root, extras):
    folder, record = root / ".venv", root / ".venv" / "installed.json"
    wanted = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    state = installed(folder, record)
    if state is None:
        shutil.rmtree(folder, ignore_errors=True)
        state = {"pyproject": None, "extras": []}
        print(f"making {folder} with Python {sys.version.split()[0]}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if state["pyproject"] == wanted and extras <= set(state["extras"]):
        return
    extras |= set(state["extras"])
    record.unlink(missing_ok=True)
    names = ",".join(sorted(extras))
    print(f"installing tinygrad-notes[{names}] into {folder}", flush=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet",
               "--disable-pip-version-check", "--editable", f".[{names}]"]  # fmt: skip
    subprocess.run(install, check=True, cwd=root)
    complete = record.with_suffix(".new")
    complete.write_text(json.dumps({"python": version(), "pyproject": wanted, "extras": sorted(extras)}))
    os.replace(complete, record)


def installed(folder, record):
    """What is in `folder`, or None: nothing, half of it, something broken, or made by another Python."""
    try:
        state = json.loads(record.read_text())
        if state["python"] != version():
            return None
        subprocess.run([folder / "bin" / "python", "-c", ""], check=True)
        return {"pyproject": state["pyproject"], "extras": sorted(map(str, state["extras"]))}
    except (OSError, ValueError, TypeError, LookupError, subprocess.CalledProcessError):
        return None


def version():
    return list(sys.version_info[:2])


def complain(sentence):
    print(f"error: {sentence}.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
