"""README.md and README.zh.md say the same: sections, code, commands, figures, links and rows of tables."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.test_site import badly_set

ROOT = Path(__file__).resolve().parent.parent
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = r"\d[\d,]*(?:\.\d+)?"


def prose(text):
    """Each block in one word: headings are those outside of code, and each section knows its blocks."""
    return FENCED.sub("`block`\n", text)


def counted(text):
    """Code within lines, targets of links, and numbers, each as often as it is there."""
    words = re.sub(r"`[^`]+`|\]\([^)]*\)", " ", text)
    return {
        "code": Counter(re.findall(r"`([^`]+)`", text)),
        "links": Counter(re.findall(r"\]\(([^)]*)\)", text)),
        "numbers": Counter(number.rstrip(",") for number in re.findall(NUMBER, words)),
    }


def shape(text):
    """What a README has, whatever it says: blocks, and what is in each section and each row of a table."""
    words = re.sub(r"\]\(README(\.zh)?\.md\)", "]", prose(text))  # the switch of the language
    parts = re.split(r"^(#+) .*\n", words, flags=re.MULTILINE)[1:]
    rows = [[counted(row) for row in re.findall(r"^\|.*$", part, re.MULTILINE)] for part in parts[1::2]]
    return FENCED.findall(text), parts[::2], [counted(part) for part in parts[1::2]], rows


def test_both_readmes_have_the_same_sections_code_figures_and_links():
    blocks, levels, *_ = shape(ENGLISH)
    assert len(blocks) > 9 and len(levels) > 10
    assert shape(CHINESE) == shape(ENGLISH)


@pytest.mark.parametrize(
    "old, new",
    [
        ("## 后端", "### 后端"),
        ("--epochs 1 --limit 512", "--epochs 2 --limit 512"),
        ("keeps y, not x", "keeps x, not y"),
        ("97.95 至 98.30", "97.95 至 98.31"),
        ("8,000", "8,001"),
        ("| 0.83 |", "| 0.89 |"),
        ("| 1372 | 1629 |", "| 1629 |"),
        ("`--patience 5`", "`--patience 6`"),
        ("(docs/errata.md)", "(docs/torch.md)"),
        ("NVIDIA H200", "NVIDIA H100"),
    ],
)
def test_the_comparison_sees_a_difference(old, new):
    assert CHINESE.count(old)
    assert shape(CHINESE.replace(old, new, 1)) != shape(ENGLISH)


def test_each_readme_links_the_other_at_its_top():
    assert "[中文](README.zh.md)" in ENGLISH.splitlines()[2]
    assert "[English](README.md)" in CHINESE.splitlines()[2]


def test_chinese_is_set_as_chinese():
    assert badly_set(prose(CHINESE)) == []
