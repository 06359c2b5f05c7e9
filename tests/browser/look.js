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
    const found = [...document.querySelectorAll("math")].filter((math) => flat(math) || math.querySelector("merror"))
      .map((math) => `a formula is not shown: ${this.outer(math)}`);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (/\\[a-zA-Z([{|,]|\$[^$]+\$/.test(text.data) && !text.parentElement.closest("pre, code, script, style"))
        found.push(`a formula is left as text: ${text.data.trim().slice(0, 100)}`);
    }
    return found;
  },

  wide() {  // what a phone would have to be moved sideways for; a part that scrolls by itself is not
    const scrolls = (node) => node && (/auto|scroll/.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
    const all = document.querySelector("article")?.querySelectorAll("*") ?? [];
    const out = [...all].find((node) => node.getBoundingClientRect().right > innerWidth + 1 && !scrolls(node.parentElement));
    const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    return out || over > 0 ? [`${over} px too wide for ${innerWidth}: ${out ? this.outer(out) : "the page"}`] : [];
  },

  links: () => [...document.querySelectorAll("a[href]")].map((link) => link.href),

  thin() {  // what has the colors of its like is asked once: formulas, and words of code of one class
    document.querySelectorAll("math").forEach((math) => math.replaceChildren("x"));
    const known = new Set();
    for (const word of document.querySelectorAll("pre span")) {
      const kind = `${word.className} in ${word.closest("pre").parentElement.parentElement.className}`;
      known.has(kind) ? word.replaceWith(...word.childNodes) : known.add(kind);
    }
  },

  async axe(options) {
    const { violations } = await axe.run(document, { ...options, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
      `${id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").slice(1).join(" ").trim()}`));
  },
})
