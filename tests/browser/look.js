// What look.py asks a loaded page; answers are sentences, so that nothing found is [].
({
  outer: (node) => node.outerHTML.replace(/\s+/g, " ").slice(0, 100),

  async unfold() {
    document.querySelectorAll("details").forEach((part) => (part.open = true));
    for (const _ of "12") await new Promise(requestAnimationFrame);  // until the page has heard of it
  },

  images() {
    return [...document.images].filter((image) => !image.complete || !image.naturalWidth)
      .map((image) => `an image is not shown: ${this.outer(image)}`);
  },

  formulas() {
    const flat = (math) => { const box = math.getBoundingClientRect(); return !box.width || !box.height; };
    const found = [...document.querySelectorAll("math")]
      .filter((math) => flat(math) || math.querySelector("merror"))
      .map((math) => `a formula is not shown: ${this.outer(math)}`);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const left = /\\[a-zA-Z([{|,]|\$[^$]+\$/.test(text.data);
      if (left && !text.parentElement.closest("pre, code, script, style"))
        found.push(`a formula is left as text: ${text.data.trim().slice(0, 100)}`);
    }
    return found;
  },

  wide() {  // what a phone is moved sideways for; a part within the article that scrolls by itself is none
    const article = document.querySelector("article");
    const flows = (node) => getComputedStyle(node).overflowX;
    const scrolls = (node) => node !== article && (/auto|scroll/.test(flows(node)) || scrolls(node.parentElement));
    const right = (node) => node.getBoundingClientRect().right;
    const out = [...article.querySelectorAll("*")]
      .find((node) => right(node) > innerWidth + 1 && !scrolls(node.parentElement));
    const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (!out && over <= 0) return [];
    return [`too wide for ${innerWidth} px: ${out ? this.outer(out) : "the page"}`];
  },

  links: () => [...document.querySelectorAll("a[href]")].map((link) => link.href),

  thin() {  // axe-core is slow: formulas become a word, and one word of code stays for each kind of place
    document.querySelectorAll("math").forEach((math) => math.replaceChildren("formula"));
    const place = (node) => (node ? `${place(node.parentElement)} ${node.localName}.${node.className}` : "");
    const known = new Set();
    for (const word of [...document.querySelectorAll("pre span, code")].filter((node) => !node.id)) {
      const kind = `${place(word)} ${word.style.cssText}`;
      if (known.has(kind)) word.replaceWith(word.textContent);
      else if (word.textContent.trim().length > 1) known.add(kind);  // axe-core passes over single characters
    }
  },

  async axe(options) {
    const { violations } = await axe.run(document, { ...options, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
      `${id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").slice(1).join(" ").trim()}`));
  },
})
