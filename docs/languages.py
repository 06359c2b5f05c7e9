"""What two languages need: a switch on every page that stays on the page, and a search that finds Chinese.

Chinese is searched by pairs of characters: 反向传播 is 反向, 向传, 传播, in the index and in the query. So a
word is found wherever it stands, and no dictionary has to know it.
"""

import re
from pathlib import Path

from sphinx.search.zh import SearchChinese

DOCS = Path(__file__).resolve().parent
MADE = ("search", "op/")  # pages that the build makes, in both languages


class Pairs(SearchChinese):
    language_name = "English"  # of the stemmer that the page loads: Latin words are stemmed
    js_splitter_code = """
function splitQuery(query) {
  return (query.match(/[一-鿿]+|[a-z0-9_]+/gi) || []).flatMap((word) =>
    /[一-鿿]/.test(word) ? [...word].slice(0, -1).map((_, i) => word.slice(i, i + 2)) : [word]);
}
"""

    def split(self, text):
        pairs = [run[i : i + 2] for run in re.findall("[一-鿿]+", text) for i in range(len(run) - 1)]
        words = self.latin1_letters.findall(text)
        self.latin_terms.update(words)
        return pairs + words


def to_root(page, chinese):
    """From a page to the folder of the English pages."""
    return "../" * (page.count("/") + chinese)


def switch(page, chinese):
    """The link to the same page in the other language; a page without one leads to the first page there."""
    lang, word, there = "en", "English", page
    if not chinese:
        known = page.startswith(MADE) or (DOCS / "zh" / f"{page}.md").exists()
        lang, word, there = "zh", "中文", f"zh/{page if known else 'index'}"
    url = f"{to_root(page, chinese)}{there}.html"
    return f'<a class="language" lang="{lang}" hreflang="{lang}" href="{url}">{word}</a>'


def add_switch(app, page, template, context, doctree):
    context["switch"] = switch(page, app.tags.has("zh"))  # for the page of the search, which has no body
    context["body"] = context["switch"] + context.get("body", "")


def setup(app):
    app.add_search_language(Pairs)
    app.connect("html-page-context", add_switch)
    return {"parallel_read_safe": True}
