"""The course in two languages: the same pages, with the same parts, code and formulas. Nothing is built."""

import html
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

from tinygrad_notes import backend

DOCS = Path(__file__).resolve().parent.parent / "docs"
OTHERS = ["errata", "glossary", "gpu", "index", "reading", "references", "variants"]
PAGES = sorted([*OTHERS, *(f"chapters/{file.stem}" for file in (DOCS / "chapters").glob("*.md"))])
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
PARTS = {
    "en": ["Notation", "Forward", "Derivation", "The shipped rule", "On paper", "A run",
           "Who does it differently", "Pitfalls", "Exercises", "The paper"],
    "zh": ["记号", "前向", "推导", "代码中的规则", "手算示例", "运行",
           "不同的做法", "常见的坑", "练习", "论文"],
}  # fmt: skip
OTHER_PARTS = {  # of the chapters that are not about an operation
    "chapters/environment": {
        "en": ["Installation", "What computes", "Types, threads, seeds", "A run",
               "Who does it differently", "Pitfalls", "Exercises", "Sources"],
        "zh": ["安装", "由谁计算", "数据类型、线程与种子", "运行",
               "不同的做法", "常见的坑", "练习", "来源"],
    },
    "chapters/focus": {
        "en": ["Notation", "The studies", "Who does it differently", "Pitfalls", "Exercises", "The paper"],
        "zh": ["记号", "各项研究", "不同的做法", "常见的坑", "练习", "论文"],
    },
}  # fmt: skip
DIRECTIVE = re.compile(r"^(```|:::)\{(\w+)\} ?(.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```\{python\}\n(?::picture: \w+\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
HAN = "[\u4e00-\u9fff]"


def text(page, lang):
    return (DOCS / ("zh" if lang == "zh" else "") / f"{page}.md").read_text(encoding="utf-8")


def prose(page, lang):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```$", "", text(page, lang), flags=re.MULTILINE | re.DOTALL)


def shape(page, lang):
    """What a page has, whatever it says."""
    whole, words = text(page, lang), prose(page, lang)
    used = [(name, argument.replace(" --lang zh", "")) for _, name, argument in DIRECTIVE.findall(whole)]
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", words, re.MULTILINE)],
        "directives": [one for one in used if one != ("toctree", "")],
        "code": BLOCK.findall(whole),
        "formulas": set(re.findall(r"\$\$?([^$]+)\$\$?", words)),
        "operations": Counter(re.findall(r"op/[\w-]+", words)),
        "rows of tables": len(re.findall(r"^\|", words, re.MULTILINE)),
    }


def test_both_languages_have_the_same_pages():
    there = DOCS / "zh"
    chinese = {file.relative_to(there).with_suffix("").as_posix() for file in there.rglob("*.md")}
    assert {page for page in chinese if not page.startswith("op/")} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_parts(page):
    assert shape(page, "zh") == shape(page, "en")


@pytest.mark.parametrize("lang", PARTS)
@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_has_its_parts(page, lang):
    whole = text(page, lang)
    sections = re.split(r"^## (.*)\n", whole, flags=re.MULTILINE)
    parts = OTHER_PARTS.get(page, PARTS)
    assert sections[1::2] == parts[lang]
    part = dict(zip(parts["en"], sections[2::2], strict=True))
    assert "{picture}" in sections[0]
    if page not in OTHER_PARTS:
        assert "{derivation}" in part["Derivation"] and "{rule}" in part["The shipped rule"]
        assert "{example}" in part["On paper"]
    shown = part["The studies" if "The studies" in part else "A run"]
    assert re.search(r"\{study\}|\{run\}|^:picture:", shown, re.MULTILINE)
    assert part["Pitfalls"].count("```{python}") >= 3
    assert part["Exercises"].count(":::{answer}") == 3 == part["Exercises"].count("```{python}")


@pytest.mark.skipif(backend.BACKEND != "numpy", reason="the pages are built on NumPy")
@pytest.mark.parametrize("page", [*CHAPTERS, "gpu", "variants"])
def test_the_code_of_a_chapter_runs(page):
    import numpy as np

    import tinygrad_notes as tg
    from tinygrad_notes import nn, optim
    from tinygrad_notes.nn import functional as F

    known = {"np": np, "tg": tg, "nn": nn, "optim": optim, "F": F}
    for code in BLOCK.findall(text(page, "en")):
        raises = re.match(r":raises: (\w+)\n", code)
        if raises is None:
            exec(code, known)
            continue
        with pytest.raises(__builtins__[raises[1]]):
            exec(code[raises.end() :], known)


def badly_set(words):
    """Half-width punctuation beside Chinese, and Latin letters, formulas or code without a space to it."""
    words = re.sub(r"<[^>]+>|\{doc\}`[^`]*`|\]\([^)]*\)|^:.*$", "", words, flags=re.MULTILINE)
    words = re.sub(r"\$\$?([^$]+)\$\$?|`[^`]+`", "X", words)
    return re.findall(f"{HAN}[,;:!?()]|[,;:!?()]{HAN}|{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}", words)


@pytest.mark.parametrize("page", PAGES)
def test_chinese_is_set_as_chinese(page):
    assert badly_set(prose(page, "zh")) == []


@pytest.mark.parametrize("page", PAGES)
def test_chinese_pages_link_english_ones_that_exist(page):
    folder = (DOCS / "zh" / page).parent
    for target in re.findall(r'href="([^"#]+)\.html', text(page, "zh")):
        there = (folder / ".." / target if page == "index" else folder / target).resolve()
        assert (there.parent / f"{there.name}.md").exists() or (folder / f"{target}.md").exists(), target


# ---- what docs/*.py does; these need the extra `docs` --------------------------------------------------


@pytest.fixture
def module(monkeypatch):
    pytest.importorskip("sphinx")
    pytest.importorskip("latex2mathml")
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module


def test_the_switch_stays_on_the_page(module):
    languages = module("languages")
    assert 'href="../zh/chapters/lstm.html"' in languages.switch("chapters/lstm", False)
    assert 'href="../../chapters/lstm.html"' in languages.switch("chapters/lstm", True)
    assert 'href="zh/search.html"' in languages.switch("search", False)
    assert 'href="../zh/op/gru.html"' in languages.switch("op/gru", False)  # made by a build that comes later
    assert 'href="../zh/index.html"' in languages.switch("decisions/index", False)  # English only
    for page in PAGES:
        assert f"zh/{page}.html" in languages.switch(page, False)


def test_chinese_is_searched_by_pairs(module):
    pairs = module("languages").Pairs({})
    assert pairs.split("反向传播与 ReLU") == ["反向", "向传", "传播", "播与", "ReLU"]


def test_formulas_are_set_or_refused(module):
    mathml = module("mathml").mathml
    assert "<munder>" in mathml(r"\sum_j x_j", "wide") and "display=" not in mathml(r"\sum_j x_j", "wide")
    assert "<mtext>g</mtext>" in mathml(r"\mathrm{g}x") and "𝟙" in mathml(r"\mathbb{1}[i = j]")
    assert "𝟙" not in mathml(r"\mathbb{E}[x]")
    with pytest.raises(ValueError, match="does not know"):
        mathml(r"\unheardof x")


def test_a_line_may_end_after_the_equals_sign_of_a_long_formula(module):
    def texts(latex):
        written = module("mathml").in_parts(module("mathml").mathml(latex))
        parts = re.findall(r"<math .*?</math>", written)
        assert "".join(parts) == written and all('display="inline"' in part for part in parts)
        return [html.unescape(re.sub("<.*?>", "", part)) for part in parts]

    assert texts(r"W_2(W_1x + b_1) + b_2 = (W_2W_1)x + (W_2b_1 + b_2)") == [
        "W2(W1x+b1)+b2=",
        "(W2W1)x+(W2b1+b2)",
    ]
    assert texts(r"a = b = 1000000000000000000000") == ["a=", "b=", "1000000000000000000000"]
    assert len(texts("a = 3")) == 1  # short
    assert len(texts(r"P(X = 1000000000000000000000000)")) == 1  # in parentheses
    assert len(texts(r"10000000000000000000000000 =")) == 1  # nothing follows


def test_python_blocks_print_what_a_reader_sees(module):
    run = module("executed").run_python
    assert run("x = 2\nx + 1\nprint(x)\nx * 5", {}) == "2\n10" and run("for x in (1, 2):\n    x", {}) == ""
    assert run("1 / 0", {}, "ZeroDivisionError") == "ZeroDivisionError: division by zero"
    with pytest.raises(ZeroDivisionError):
        run("1 / 0", {})
    with pytest.raises(ValueError, match="no KeyError"):
        run("1", {}, "KeyError")


def test_every_derivation_has_a_title_and_a_place(module):
    pytest.importorskip("sympy")
    derived = module("derived")
    assert derived.TITLES.keys() == derived.ENTRIES.keys()
    listed = set(re.findall(r"op/([\w-]+)`", text("index", "en")))
    assert listed | {"batch-norm"} == {derived.slug(name) for name in derived.ENTRIES}


def test_every_mistake_has_a_name_in_chinese(module):
    from tinygrad_notes.verify.wrong import CATALOGUE

    names = module("mistakes").CHINESE
    assert names.keys() == {entry.name for entry in CATALOGUE}
    assert all(re.search(HAN, name) for name in names.values())


def test_the_page_of_an_operation_has_its_parts(module, monkeypatch):
    pytest.importorskip("sympy")
    operation = module("operation")
    monkeypatch.setattr(operation, "rows_of", lambda rule: ["a row"])
    rest = ["checked", "mistakes", "used"]
    assert operation.parts_of("softmax") == ["derivation", "rule", "example", "jacobian", *rest]
    assert operation.parts_of("sigmoid") == ["slope", "derivation", "rule", "example", "jacobian", *rest]
    assert operation.parts_of("adam") == ["derivation", "rule", "example", "used"]  # no operation


def test_the_map_of_the_chapters_has_them_in_the_order_of_the_list(module):
    drawn = [f"chapters/{page}" for _, pages in module("outline").GROUPS for page in pages]
    assert drawn == re.findall(r"^chapters/\w+$", text("index", "en"), re.MULTILINE)
    assert sorted(drawn) == CHAPTERS
