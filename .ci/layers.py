"""Draw docs/layers.svg: the folders of the package, each resting on those that it may import.

    python .ci/layers.py

A test compares the picture with this script, and its folders with the directions that imports may take.
"""

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "layers.svg"
ROWS = (  # from the top; folders side by side do not import each other
    {"cli": "the command: train, eval, predict, gradcheck, verify, derive, ..."},
    {"study": "one comparison at a time: learning rates, activations, ..."},
    {"tasks": "what is learned from what: images, sequences, texts"},
    {"train": "the loop, checkpoints, curves: knows no task"},
    {"models": "one file per network of the notes", "verify": "proofs and planted mistakes"},
    {"optim": "SGD, Adam, schedules", "data": "sets, batches, text, the embedded data"},
    {"nn": "parameters and state, no mathematics"},
    {"ops": "the rules: forward and backward beside the derivation"},
    {"autograd": "the tape: Tensor, Function, engine, gradient checks"},
    {"backend": "NumPy or CuPy, and the kernels that make it fast"},
)
WIDTH, HEIGHT, GAP, MARGIN = 760, 44, 8, 16
BLUE, AMBER = ("#e8f0fb", "#3b6fb6"), ("#fdf3e1", "#b9822b")  # fill, outline; amber: verify


def render():
    """The picture as SVG text: a light card, so that it reads on a dark page as well."""
    height = 2 * MARGIN + len(ROWS) * (HEIGHT + GAP) - GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif">',
        "<title>The folders of the package; each imports only from those below it</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>',
    ]
    for level, row in enumerate(ROWS):
        top, left = MARGIN + level * (HEIGHT + GAP), MARGIN
        free = WIDTH - 2 * MARGIN - GAP * (len(row) - 1)
        need = {name: len(name) * 1.6 + len(text) + 6 for name, text in row.items()}
        for name, text in row.items():
            width = round(free * need[name] / sum(need.values()))
            lines += _box(left, top, width, name, text, AMBER if name == "verify" else BLUE)
            left += width + GAP
    return "\n".join([*lines, "</svg>", ""])


def _box(left, top, width, name, text, colors):
    fill, outline = colors
    middle = top + HEIGHT / 2 + 5
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="{outline}"/>',
        f'<text x="{left + 12}" y="{middle:g}" font-size="15" fill="#1f2937">'
        f'<tspan font-weight="600">{name}</tspan>'
        f'<tspan dx="12" font-size="13" fill="#4b5563">{text}</tspan></text>',
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
