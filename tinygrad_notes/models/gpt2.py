"""GPT-2, Radford et al. 2019: a `TransformerLM` of its sizes that takes its published checkpoints.

124,439,808 parameters in the smallest. Where the two differ: dropout falls inside the feed-forward part here
as well, as everywhere in nn/transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checkpoints import host, layers_of, renamed
from .count import undrawn
from .language import TransformerLM

# GPT-2's names, without "transformer." in front, and those here. The published files hold the causal masks.
NAMES = {
    r"wte\.weight": "embedding.weight",
    r"wpe\.weight": "positions.weight",
    r"lm_head\.weight": "head.weight",
    r"ln_f\.(\w+)": r"transformer.norm.\1",
    r"h\.\d+\.attn\.(masked_)?bias": "",
    r"h\.(\d+)\.ln_([12])\.(\w+)": r"transformer.layers.\1.norm\2.\3",
    r"h\.(\d+)\.attn\.c_attn\.(\w+)": r"transformer.layers.\1.self_attn.in_proj_\2",
    r"h\.(\d+)\.attn\.c_proj\.(\w+)": r"transformer.layers.\1.self_attn.out_proj.\2",
    r"h\.(\d+)\.mlp\.c_fc\.(\w+)": r"transformer.layers.\1.linear1.\2",
    r"h\.(\d+)\.mlp\.c_proj\.(\w+)": r"transformer.layers.\1.linear2.\2",
}
CONV1D = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")  # (in, out), where a Linear has (out, in)
HEAD = 64  # numbers of each head in all published sizes


class GPT2(TransformerLM):
    """logits (N, T, 50257) of each next byte pair; arguments and states as `TransformerLM`'s.

    `load_state_dict` takes the names of GPT-2's files (`wte.weight`, `h.0.attn.c_attn.weight`, ..., with
    "transformer." before them or not) as well as its own. Sizes of the published ones, as (width, layers,
    heads): (768, 12, 12), (1024, 24, 16), (1280, 36, 20), (1600, 48, 25).
    """

    def __init__(
        self, vocabulary: int = 50_257, width: int = 768, layers: int = 12, heads: int = 12,
        context: int = 1024, dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__(vocabulary, width, layers, heads, context, dropout)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], heads: int | None = None, dropout: float = 0.1) -> GPT2:
        """The model of a checkpoint, e.g. of ``tg.load("model.safetensors")``; sizes follow from its shapes.

        `heads` None: the published models' width / 64.
        """
        own = translated(state)
        missing = {"embedding.weight", "positions.weight"} - own.keys()
        if missing:
            raise KeyError(f"GPT2.from_state: no checkpoint of GPT-2: wte.weight or wpe.weight is missing in "
                           f"{sorted(state)[:5]} ...")  # fmt: skip
        vocabulary, width = own["embedding.weight"].shape
        layers, context = layers_of(own, "transformer.layers."), own["positions.weight"].shape[0]
        with undrawn():
            model = cls(vocabulary, width, layers, heads or width // HEAD, context, dropout)
        model.load_state_dict(own)
        return model

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """As `Module.load_state_dict`, of GPT-2's names too.

        Raises ValueError if the head is not the embedding: then it is no checkpoint of GPT-2.
        """
        return super().load_state_dict(translated(state), strict)


def translated(state: Mapping[str, Any]) -> dict[str, Any]:
    """GPT-2's names and weights as those of `GPT2`; own ones stay."""
    if "embedding.weight" in state:
        return dict(state)
    arrays = {
        name.removeprefix("transformer."): host(value).T if name.endswith(CONV1D) else host(value)
        for name, value in state.items()
    }
    own = renamed(arrays, NAMES)
    if "embedding.weight" in own:
        head = own.setdefault("head.weight", own["embedding.weight"])
        if head.shape != own["embedding.weight"].shape or (head != own["embedding.weight"]).any():
            raise ValueError("GPT2: lm_head.weight is not wte.weight; GPT-2 has one table for both")
    return own
