"""Where published forms of one recurrent cell, or of a model of sequences, differ: by name, with sizes
computed from the layers."""

from __future__ import annotations

from functools import partial

from ..nn import GRU, LSTM, RNN, Embedding, Module
from .count import parameter_count, undrawn
from .seq2seq import Seq2Seq
from .transformer import Transformer
from .variants import FAN_IN, Row, Variant

INPUTS, HIDDEN, PROJECTED = 128, 256, 64  # of the cells that are compared
START = FAN_IN.replace("fan_in", "H")

IDS = 64  # of the vocabularies of models that are compared

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


XAVIER = "Xavier uniform matrices, biases of attention 0, others U(±1/√fan_in)"
RECURRENT = "cells U(±1/√H), attention Xavier uniform, linear layers U(±1/√fan_in)"

SEQUENCES: dict[str, tuple[Variant, ...]] = {
    "Seq2Seq": (
        Variant("none", partial(Seq2Seq, IDS, IDS, attention="none"), "Sutskever et al. 2014",
                "the decoder knows of the source what its first state holds", RECURRENT),
        Variant("dot", partial(Seq2Seq, IDS, IDS, attention="dot"), "Luong et al. 2015",
                "e = s · h with the new state s: nothing to learn", RECURRENT),
        Variant("general", partial(Seq2Seq, IDS, IDS, attention="general"), "Luong et al. 2015",
                "e = sᵀ W h with the new state s", RECURRENT),
        Variant("additive", partial(Seq2Seq, IDS, IDS, attention="additive"), "Bahdanau et al. 2014",
                "e = vᵀ tanh(W₁ h + W₂ s) with the state before; the cell reads the context", RECURRENT),
        Variant("general, fed", partial(Seq2Seq, IDS, IDS, attention="general", input_feeding=True),
                "Luong et al. 2015", "the cell reads what was attended to at the step before", RECURRENT),
    ),
    "Transformer": (
        Variant("post-norm", partial(Transformer, IDS), "Vaswani et al. 2017",
                "LayerNorm(x + f(x)): behind each sum, and none at the end", XAVIER),
        Variant("pre-norm", partial(Transformer, IDS, norm_first=True), "tensor2tensor; Xiong et al. 2020",
                "x + f(LayerNorm(x)): before each part, and one at the end of each stack", XAVIER),
    ),
}  # fmt: skip


def built(name: str) -> dict[str, Module]:
    """The forms of a cell (in `CELLS`) or model (in `SEQUENCES`) by name, quick to make: weights are 0."""
    with undrawn():
        return {form.name: form.build() for form in (CELLS | SEQUENCES)[name]}


def cell_rows(name: str) -> list[Row]:
    """The forms counted: parameters, and multiply-adds of one step, where each matrix acts once.

    Of embeddings only rows are read, and scores of attention depend on lengths: neither is in the second, nor
    is an embedding that gives the logits too, as the Transformer's.
    """
    return [
        Row(form.name, parameter_count(model), _matrices(model), form.source, form.differences,
            form.initialization)
        for form, model in zip((CELLS | SEQUENCES)[name], built(name).values(), strict=True)
    ]  # fmt: skip


def _matrices(model: Module) -> int:
    tables = {id(m.weight) for m in model.modules() if isinstance(m, Embedding)}
    return sum(p.size for p in model.parameters() if p.ndim == 2 and id(p) not in tables)
