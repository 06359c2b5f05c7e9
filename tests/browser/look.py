"""What is wrong with a page as a browser shows it: `faults`, `barriers`. They ask the page by look.js."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

ASK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Of axe-core: WCAG 2.1 AA, and the order of headings
ASKED = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "rules": {"heading-order": {"enabled": True}},
}
OF_DISK = {"file", "data", "blob", "about"}


class Heard:
    """What a tab complains of, and what it asks for that is not on this disk."""

    def __init__(self, tab):
        self.said = []
        tab.on("console", lambda line: line.type == "error" and self.said.append(f"console: {line.text}"))
        tab.on("pageerror", lambda error: self.said.append(f"exception: {error}"))
        tab.on("requestfailed", lambda asked: self.said.append(f"not loaded: {asked.url}"))
        tab.on("request", self.request)

    def request(self, asked):
        if urlsplit(asked.url).scheme not in OF_DISK:
            self.said.append(f"asks the network: {asked.url}")


def ask(tab, question, argument=None):
    return tab.evaluate(f"(argument) => {ASK.strip()}.{question}(argument)", argument)


def show(tab, file):
    """The page on a desk, with all answers unfolded; what the tab complains of."""
    heard = Heard(tab)
    tab.set_viewport_size(DESK)
    tab.goto(file.as_uri())
    ask(tab, "unfold")
    return heard.said


def faults(tab, file, site):
    """What is missing, left as text, too wide, or leads nowhere, as sentences."""
    said = show(tab, file)
    found = ask(tab, "images") + ask(tab, "formulas") + broken(ask(tab, "links"), site)
    tab.set_viewport_size(PHONE)
    return said + found + ask(tab, "wide")


def barriers(tab, file, axe, scheme="light"):
    """What axe-core, whose text is given, finds hard to read, in the light or in the dark."""
    tab.emulate_media(color_scheme=scheme)
    show(tab, file)
    ask(tab, "thin")
    tab.evaluate(axe)
    return ask(tab, "axe", ASKED)


def broken(links, site):
    """Links that lead nowhere. Other sites are not asked."""
    found = []
    for link in sorted(set(links)):
        parts = urlsplit(link)
        if parts.scheme in {"https", "mailto"}:
            continue
        target = Path(unquote(parts.path))
        if parts.scheme != "file" or not target.is_relative_to(site) or not target.is_file():
            found.append(f"a link leads nowhere: {link}")
        elif parts.fragment and unquote(parts.fragment) not in anchors(target):
            found.append(f"no such place: {link}")
    return found


@cache
def anchors(file):
    return set(re.findall(r'\bid="([^"]+)"', file.read_text(encoding="utf-8")))
