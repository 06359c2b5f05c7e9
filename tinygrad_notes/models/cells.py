"""Where published forms of one recurrent cell differ: by name, with sizes computed from the layers."""

from __future__ import annotations

from functools import partial

from ..nn import GRU, LSTM, RNN, Module
from .count import parameter_count, undrawn
from .variants import FAN_IN, Row, Variant

INPUTS, HIDDEN, PROJECTED = 128, 256, 64  # of the cells that are compared
START = FAN_IN.replace("fan_in", "H")

CELLS: dict[str, tuple[Variant, ...]] = {
    "RNN": (
        Variant("tanh", partial(RNN, INPUTS, HIDDEN), "Elman 1990; torch RNN",
                "the state is squashed", START),
        Variant("relu", partial(RNN, INPUTS, HIDDEN, nonlinearity="relu"), "Le et al. 2015; torch RNN",
                "the state may grow without bound", START),
    ),
    "LSTM": (
        Variant("torch", partial(LSTM, INPUTS, HIDDEN), "Gers et al. 1999; torch LSTM",
                "a forget gate, and two biases where one would do", START),
        Variant("1997", partial(LSTM, INPUTS, HIDDEN, variant="1997"), "Hochreiter & Schmidhuber 1997",
                "no forget gate: the state c is only ever added to", START),
        Variant("peephole", partial(LSTM, INPUTS, HIDDEN, variant="peephole"), "Gers & Schmidhuber 2000",
                "the gates see c, each number its own: input and forget gate that of before, output gate the "
                "new one", START),
        Variant("projection", partial(LSTM, INPUTS, HIDDEN, proj_size=PROJECTED),
                "Sak et al. 2014; torch LSTM",
                f"the output is a product of {PROJECTED} numbers, and so is what the gates see of the step "
                "before", START),
    ),
    "GRU": (
        Variant("reset after", partial(GRU, INPUTS, HIDDEN), "torch and cuDNN GRU",
                "the reset gate acts on the product W h + b, whose bias is thus one of its own", START),
        Variant("reset before", partial(GRU, INPUTS, HIDDEN, reset_after=False), "Cho et al. 2014",
                "the reset gate acts on h, and W on what is left; the second bias adds nothing new", START),
    ),
}  # fmt: skip


def built(cell: str) -> dict[str, Module]:
    """The forms of `cell` (a key of `CELLS`) by name, quick to make: all weights are 0."""
    with undrawn():
        return {form.name: form.build() for form in CELLS[cell]}


def cell_rows(cell: str) -> list[Row]:
    """The forms of `cell` counted: parameters, and multiply-adds of one step, where each matrix acts once."""
    return [
        Row(form.name, parameter_count(layer), sum(p.size for p in layer.parameters() if p.ndim == 2),
            form.source, form.differences, form.initialization)
        for form, layer in zip(CELLS[cell], built(cell).values(), strict=True)
    ]  # fmt: skip
