"""What the pages of terms, papers, errata and studies must hold, and the Chinese words of pictures."""

import importlib
import re
from pathlib import Path

import pytest

from tests.test_site import CHAPTERS, DOCS, text
from tinygrad_notes import study

NAME = r"[A-Z][a-zA-Zé]+"
CITED = re.compile(rf"(?<!\w)({NAME}(?:, {NAME})*(?: et al\.| & {NAME})?) ((?:19|20)\d\d[ab]?)\b")
NO_PAPERS = {"Transformer 2000", "RecurrentLM 2000"}  # sizes of vocabularies
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture
def module(monkeypatch):
    pytest.importorskip("matplotlib", reason="the pages draw")
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module


# ---- terms ----------------------------------------------------------------------------------------------


def terms(lang):
    """[(bold term, its name in the other language, the page that explains it)]."""
    found = re.findall(r"^\*\*(.+)\*\* ?(.*)\n: ((?:.+\n)+?)(?=\n|\Z)", text("glossary", lang), re.MULTILINE)
    link = re.compile(r"\]\(([\w/]+)\.md\)\n\Z")
    return [(term, other or term, link.search(said)[1]) for term, other, said in found]


def test_both_glossaries_have_the_same_terms_in_the_same_order():
    english, chinese = terms("en"), terms("zh")
    assert len(english) == text("glossary", "en").count("\n: ") > 100
    assert english == [(other, term, page) for term, other, page in chinese]
    names = [term.lower() for term, _, _ in english]
    assert names == sorted(set(names))


def test_a_term_has_one_sentence():
    for lang, end in (("en", "."), ("zh", "。")):
        for said in re.findall(r"^: ((?:.+\n)+?)(?=\n|\Z)", text("glossary", lang), re.MULTILINE):
            sentence = re.sub(r"\[[^]]*\]\([^)]*\)\n", "", said).strip()
            assert sentence.endswith(end) and not re.search(rf"{re.escape(end)} ?\w", sentence), sentence


# ---- papers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_papers_of_a_chapter_are_in_the_references(page, module):
    papers = module("papers")
    last = re.split(r"^## (?:The paper|Sources)\n", text(page, "en"), flags=re.MULTILINE)[1]
    titles = re.findall(r"\*([^*]+)\*", papers.line(last))
    assert titles
    assert set(titles) <= {paper.title for paper in papers.PAPERS}
    for title in titles:
        assert any(page in paper.pages() for paper in papers.PAPERS if paper.title == title), title


def test_the_papers_of_the_sources_are_in_the_references(module):
    papers = module("papers")
    files = {paper: set(paper.files()) for paper in papers.PAPERS}
    for file, said in papers.sources().items():
        for authors, year in CITED.findall(said):
            name = f"{authors} {year}"
            known = [p for p in papers.PAPERS if any(name.endswith(one) for one in p.names.split("; "))]
            assert name in NO_PAPERS or any(file in files[paper] for paper in known), f"{file}: {name}"


def test_every_paper_is_named_somewhere(module):
    papers = module("papers").PAPERS
    assert [paper.title for paper in papers if not paper.pages() and not paper.files()] == []
    authors = [re.split(", | ", paper.authors)[0] for paper in papers]
    assert authors == sorted(authors)
    assert all(re.search(r"\b(19|20)\d\d\b", paper.place) for paper in papers)


# ---- errata ---------------------------------------------------------------------------------------------


def test_both_errata_have_the_same_lines_and_evidence():
    def lines(lang):
        heads = re.findall(r"^\*\*(L[^·]*) ·", text("errata", lang), re.MULTILINE)
        return [re.findall(r"L\d+", head) for head in heads]

    def evidence(lang):
        return re.findall(r"^```python\n(.*?)^```$", text("errata", lang), re.MULTILINE | re.DOTALL)

    def links(lang):
        return re.findall(r"\]\(((?:chapters/|variants)[^)]*)\)", text("errata", lang))

    assert lines("zh") == lines("en") and len(lines("en")) > 30
    assert evidence("zh") == evidence("en")
    assert links("zh") == links("en")
    sections = re.split(r"^## ", text("errata", "en"), flags=re.MULTILINE)[1:]
    assert [section for section in sections if "](chapters/" not in section] == []


# ---- studies, and pictures in Chinese -------------------------------------------------------------------


def test_every_study_is_shown_once_and_told_in_its_chapter():
    whole, brief = [], []
    directive = re.compile(r"^```\{study\} ([\w-]+)\n(:brief:)?", re.MULTILINE)
    for page in CHAPTERS:
        for topic, option in directive.findall(text(page, "en")):
            (brief if option else whole).append((topic, page))
    assert sorted(topic for topic, _ in whole) == sorted(study.TOPICS)
    assert all(page == "chapters/focus" for _, page in brief)
    told = {topic for topic, page in (*whole, *brief) if page == "chapters/focus"}
    assert told == set(study.TOPICS)


@pytest.mark.parametrize("topic", study.TOPICS)
def test_a_study_speaks_chinese(topic, module):
    chinese = module("chinese")
    found = study.run(topic, share=0.005)
    words = [found.sentence, *found.columns, *(row[0] for row in found.rows)]
    for panel in found.panels:
        words += [panel.title, panel.x, panel.y, *panel.lines, *panel.dots, *panel.marks]
    for word in words:
        told = chinese.in_chinese(str(word))
        assert word in chinese.SAME or HAN.search(told) or not re.search("[a-z]{2}", word), word
        assert "{" not in told and (not HAN.search(told) or not re.search(" of | the |, with", told)), told


def test_every_chinese_word_takes_what_its_english_one_has(module):
    chinese = module("chinese")
    for english, told in chinese.WORDS.items():
        assert set(re.findall(r"\{(\d)\}", told)) == {str(i) for i in range(english.count("{}"))}, english


def test_pictures_are_saved_in_both_languages(module, tmp_path, monkeypatch):
    """And where no font has the letters, the Chinese one has English words, without a warning."""
    from tinygrad_notes.tasks import lettering
    from tinygrad_notes.train.plots import learning_curves

    chinese = module("chinese")
    history = [{"epoch": epoch, "train_loss": 1.0, "validation_loss": 1.0} for epoch in (1, 2)]
    told = []
    monkeypatch.setattr(chinese, "in_chinese", lambda word: told.append(word) or word.upper())
    with chinese.in_both_languages():
        learning_curves(history, tmp_path / "a.png")
    assert {"loss", "epoch", "train", "validation"} <= set(told)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.setattr(lettering, "_font_with", lambda letters: None)
    with chinese.in_both_languages():
        learning_curves(history, tmp_path / "b.png")
    pictures = {file.name: file.read_bytes() for file in Path(tmp_path).iterdir()}
    assert pictures.keys() == {"a.png", "a.zh.png", "b.png", "b.zh.png"}
    assert pictures["a.png"] != pictures["a.zh.png"] and pictures["b.png"] == pictures["b.zh.png"]
