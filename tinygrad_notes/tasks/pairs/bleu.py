"""BLEU (Papineni et al. 2002) by sacrebleu (Post 2018), an extra."""

from __future__ import annotations

from collections.abc import Sequence


def bleu(written: Sequence[str], wanted: Sequence[str]) -> tuple[float, str]:
    """(BLEU of 0 to 100, sacrebleu's name of the tokens it counts): zh for Chinese targets, else 13a.

    Raises ImportError without sacrebleu.
    """
    try:
        from sacrebleu import corpus_bleu
    except ImportError as error:
        raise ImportError("BLEU needs sacrebleu: pip install 'tinygrad-notes[bleu]'") from error
    chinese = sum("一" <= c <= "鿿" for text in wanted for c in text)
    tokens = "zh" if 2 * chinese > sum(map(len, wanted)) else "13a"
    return float(corpus_bleu(list(written), [list(wanted)], tokenize=tokens).score), tokens
