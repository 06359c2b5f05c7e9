"""Every built page in a browser, from disk as a reader opens it: `make docs`, then `pytest tests/browser`."""

import re
import shutil
import subprocess

import pytest

from tests.browser.conftest import ROOT
from tests.browser.look import Heard, barriers, faults

SITE = ROOT / "docs" / "_build" / "html"
PAGES = sorted(file.relative_to(SITE).as_posix() for file in SITE.rglob("*.html")) or ["index.html"]
SEARCHES = {
    "en": {
        "sigmoid": "op/sigmoid", "dropout": "op/dropout", "momentum": "op/sgd-with-momentum",
        "normalization": "op/batch-norm", "convolution": "chapters/cnn",
        "residual": "chapters/resnet", "huffman": "chapters/words", "transformer": "chapters/transformer",
        "gradcheck": "reading", "errata": "errata",
    },
    "zh": {  # 批量, 单元 and 网络 stand in the middle of a heading
        "激活函数": "chapters/activation", "损失": "chapters/loss", "批量": "chapters/resnet",
        "网络": "chapters/rnn", "注意力": "chapters/attention", "归一化": "op/layer-norm",
        "单元": "op/rnn", "池化": "op/max-pooling", "链式法则": "reading", "softmax": "op/softmax",
    },
}  # fmt: skip


def in_other_language(page):
    """The page that the switch must lead to."""
    if page.startswith("zh/"):
        return page.removeprefix("zh/")
    return f"zh/{page}" if f"zh/{page}" in PAGES else "zh/index.html"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole(tab, site, page):
    assert faults(tab, site / page, site) == []
    switch = tab.locator("a.language")
    assert switch.count() == 1
    assert switch.evaluate("(link) => link.href") == (site / in_other_language(page)).as_uri()
    assert switch.is_visible() and tab.locator("html").get_attribute("lang")[:2] in ("en", page[:2])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_readable(tab, site, axe, page):
    """axe-core is slow, so Chinese pages, which have the parts of English ones, are asked in the dark."""
    scheme = "dark" if page.startswith("zh/") else "light"
    assert barriers(tab, site / page, axe, scheme) == []


@pytest.mark.parametrize("page", ["autograd.html", "conventions.html", "performance.html"])
def test_an_english_page_is_readable_in_the_dark(tab, site, axe, page):
    """Pages that have no Chinese one: tables, lists, code."""
    assert barriers(tab, site / page, axe, "dark") == []


def test_a_subscript_is_lower_than_its_letter(tab, site):
    """With any of the fonts that site.css names."""
    style = (site / "_static" / "site.css").read_text(encoding="utf-8")
    named = re.findall('"(.*?)"', re.search(r"\nmath {(.*?)}", style, re.DOTALL)[1])
    lister = shutil.which("fc-list")
    if not lister or not any(subprocess.check_output([lister, font]) for font in named):
        pytest.skip("no font for formulas is installed")
    tab.goto((site / "chapters/neuron.html").as_uri())
    bottoms = "pair => [...pair.children].map(part => part.getBoundingClientRect().bottom)"
    for pair in tab.locator("msub").all():
        letter, subscript = pair.evaluate(bottoms)
        assert subscript > letter + 1


def test_the_switch_is_pressed(tab, site):
    for page in ("chapters/lstm.html", "zh/chapters/lstm.html"):
        tab.goto((site / page).as_uri())
        tab.click("a.language")
        assert tab.url == (site / in_other_language(page)).as_uri()


@pytest.mark.parametrize(
    "lang, word, page", [(lang, *pair) for lang, found in SEARCHES.items() for pair in found.items()]
)
def test_a_word_is_found(tab, site, lang, word, page):
    heard = Heard(tab)
    tab.goto((site / ("zh" if lang == "zh" else "") / "reading.html").as_uri())
    tab.fill("input[name=q]", word)
    tab.press("input[name=q]", "Enter")
    tab.wait_for_selector(f'#search-results a[href^="{page}.html"]', timeout=10_000)
    assert heard.said == []


# ---- what the checks must notice -------------------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root { color-scheme: light dark; } body { background: Canvas; }
main { overflow: auto; }</style></head>
<body><main><article><h1 id="top">A page</h1><p>Words, and a <a href="#top">link</a>.</p>
<p><math><mi>x</mi></math></p>%s</article></main></body></html>"""
FAULTS = {
    '<a href="missing.html">a link</a>': "a link leads nowhere",
    '<a href="../index.html">out of the site</a>': "a link leads nowhere",
    '<a href="#missing">a link</a>': "no such place",
    '<img src="missing.png" alt="a picture">': "an image is not shown",
    '<link rel="stylesheet" href="missing.css">': "not loaded",
    '<script>console.error("planted")</script>': "console: planted",
    '<script>throw new Error("planted")</script>': "exception: planted",
    '<script src="https://example.org/planted.js"></script>': "asks the network",
    '<img src="https://example.org/planted.png" alt="a picture">': "asks the network",
    "<script>fetch('https://example.org/planted').catch(() => 0)</script>": "asks the network",
    '<table><tr><td style="min-width: 900px">wide</td></tr></table>': "too wide for 390 px",
    '<div style="overflow: hidden"><p style="width: 900px">cut off</p></div>': "too wide for 390 px",
    "<math></math>": "a formula is not shown",
    r'<span class="math">\alpha</span>': "a formula is left as text",
    "<p>$x^2$</p>": "a formula is left as text",
    "<details><summary>Answer</summary><p>$x^2$</p></details>": "a formula is left as text",
}
BARRIERS = [  # what axe-core calls it, and where
    ('<p style="color: #aaa; background: #fff">pale</p>', "color-contrast", "light"),
    ("<style>@media (prefers-color-scheme: dark) { p { color: #444; } }</style>", "color-contrast", "dark"),
    ('<pre><span>some</span> <span style="color: #ccc">code</span></pre>', "color-contrast", "light"),
    ("<style>li > code { color: #ccc; }</style><code>some</code><ul><li><code>code</code></li></ul>",
     "color-contrast", "light"),
    ("<h4>too deep</h4>", "heading-order", "light"),
    ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image-alt", "light"),
]  # fmt: skip


@pytest.fixture
def planted(tmp_path):
    def plant(fault):
        file = tmp_path / "page.html"
        file.write_text(PAGE % fault, encoding="utf-8")
        return file

    return plant


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(tab, planted, tmp_path, fault):
    found = faults(tab, planted(fault), tmp_path)
    assert any(FAULTS[fault] in one for one in found), found


@pytest.mark.parametrize("fault, rule, scheme", BARRIERS)
def test_a_planted_barrier_is_noticed(tab, planted, axe, fault, rule, scheme):
    found = barriers(tab, planted(fault), axe, scheme)
    assert any(rule in one for one in found), found


def test_a_page_without_faults_has_none(tab, planted, tmp_path, axe):
    assert faults(tab, planted(""), tmp_path) == []
    assert barriers(tab, planted(""), axe) == barriers(tab, planted(""), axe, "dark") == []
