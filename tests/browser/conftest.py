"""One browser for all pages: Chromium from the PATH, or from CHROMIUM; it has no network.

`.ci/run` installs what is needed: Chromium, Playwright (the Python package; its own browsers are not used)
and axe-core, in .venv/axe. Where one of them is missing, what needs it is skipped.
"""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"


@pytest.fixture(scope="session")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started.new_context(offline=True, reduced_motion="reduce")
        started.close()


@pytest.fixture
def tab(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="session")
def axe():
    """The text of axe-core."""
    file = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        pytest.skip("axe-core is not installed")
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def site():
    folder = ROOT / "docs" / "_build" / "html"
    if not (folder / "zh" / "index.html").exists():
        pytest.skip("the pages are not built: make docs")
    return folder
