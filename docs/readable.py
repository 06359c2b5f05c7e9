"""What readers without a mouse or without eyes need of a page, and the theme leaves out."""


def complete(app, page, template, context, doctree):
    """Code wider than the page can be moved by keys; captions of the list of pages say their level."""
    context["body"] = context.get("body", "").replace("<pre>", '<pre tabindex="0">')
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app):
    app.connect("html-page-context", complete, priority=900)  # after the theme
    return {"parallel_read_safe": True}
