"""MultiheadAttention: what no query may see reaches none, whatever it holds; 0 · NaN is NaN."""

import numpy as np
import pytest

from tinygrad_notes import nn

L, SEEN, N, E = 4, 3, 3, 8
HIDDEN = np.arange(L) >= SEEN
CALLS = {
    "key_padding_mask": np.tile(HIDDEN, (N, 1)),
    "attn_mask": np.tile(HIDDEN, (L, 1)),
    "attn_mask, numbers": np.tile(np.where(HIDDEN, -np.inf, 0.0), (L, 1)),
}


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_the_unseen_end_of_a_sequence_reaches_no_query_before_it(call, need_weights):
    """In self-attention one array is query, key and value."""
    layer, found = nn.MultiheadAttention(E, 2).astype("float64"), []
    for value in (0.0, np.nan):
        x = np.random.default_rng(0).normal(size=(L, N, E))
        x[SEEN:] = value
        y, weights = layer(x, x, x, **{call.partition(",")[0]: CALLS[call]}, need_weights=need_weights)
        assert (weights is not None) == need_weights
        found.append([y[:SEEN], *([] if weights is None else [weights[:, :SEEN]])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
