// From disk a page may not open another one: the search lists titles, without the lines around the word.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// What scrolls sideways can be reached by keys, in every browser.
function reach() {
  for (const part of document.querySelectorAll("pre, .table-wrapper, .formula, .step, .definition"))
    part.scrollWidth > part.clientWidth ? (part.tabIndex = 0) : part.removeAttribute("tabindex");
}
for (const event of ["load", "resize", "toggle"]) addEventListener(event, reach, true);

// The theme's captions of the list of pages are headings without a level.
document.querySelectorAll("p.caption[role=heading]").forEach((caption) => (caption.ariaLevel = "2"));

// The buttons that copy code have a name for the eye only.
addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.copybtn")) button.ariaLabel = button.dataset.tooltip;
});
