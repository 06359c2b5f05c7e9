"""Wrong use is refused with a message that names the operation, the shapes or values, and the fix."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.ops.dropout import dropout
from tinygrad_notes.ops.linear import linear
from tinygrad_notes.ops.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    mse_loss,
    nll_loss,
)


def t(*shape):
    return tg.Tensor(np.zeros(shape, np.float32))


def whole(*shape):
    return tg.Tensor(np.ones(shape, np.int64))


WRONG = [
    (lambda: t(2, 3) @ t(2, 3), ValueError, r"matmul: \(2, 3\) @ \(2, 3\).*transpose"),
    (lambda: t(2, 3) @ t(), ValueError, r"matmul: shapes \(2, 3\) and \(\)"),
    (lambda: linear(t(2, 3), t(4, 2)), ValueError, r"linear: x \(2, 3\).*\(out, in\) = \(4, 2\)"),
    (lambda: linear(t(2, 3), t(4, 3), t(3)), ValueError, r"linear: bias \(3,\).*\(4, 3\)"),
    (lambda: t(2, 3).reshape(4), ValueError, r"reshape: 6 numbers of shape \(2, 3\).*\(4,\)"),
    (lambda: t(2, 3).reshape(-1, -1), ValueError, r"reshape: .*\(-1, -1\)"),
    (lambda: t(2, 3).sum(axis=2), ValueError, r"sum: axis 2 is out of range.*\(2, 3\)"),
    (lambda: t(2, 3).mean(axis=(0, -2)), ValueError, r"mean: axis \(0, -2\) names one axis.*twice"),
    (lambda: t(2, 3).sum(axis=1.0), TypeError, r"sum: axis must be integers"),
    (lambda: t(1, 3).var(axis=0, ddof=1), ValueError, r"var: needs at least 2 numbers.*\(1, 3\)"),
    (lambda: tg.argmax(t(2, 3), axis=(0, 1)), ValueError, r"argmax: axis must be one integer or None"),
    (lambda: t(2, 3).transpose(0), ValueError, r"transpose: .*\(2, 3\)"),
    (lambda: tg.transpose(t(2, 3), (0, 2)), ValueError, r"transpose: axis 2.*\(2, 3\)"),
    (lambda: tg.swapaxes(t(2, 3), 0, 2), ValueError, r"swapaxes: axis 2.*\(2, 3\)"),
    (lambda: tg.moveaxis(t(2, 3), 0, (0, 1)), ValueError, r"moveaxis: 1 axes to 2 places"),
    (lambda: tg.squeeze(t(2, 3), 0), ValueError, r"squeeze: axis 0 of shape \(2, 3\) is not of length 1"),
    (lambda: tg.flatten(t(2, 3), 1, 0), ValueError, r"flatten: start_axis 1 comes after end_axis 0"),
    (lambda: tg.concat([t(2, 3), t(3, 2)]), ValueError, r"concat: .*\(2, 3\), \(3, 2\).*axis 0"),
    (lambda: tg.concat([t(), t()]), ValueError, r"concat: .*use stack"),
    (lambda: tg.concat([]), ValueError, r"concat: needs at least one"),
    (lambda: tg.stack([t(2), t(3)]), ValueError, r"stack: .*\(2,\), \(3,\)"),
    (lambda: tg.stack([]), ValueError, r"stack: needs"),
    (lambda: tg.split(t(5), 2), ValueError, r"split: axis 0 of shape \(5,\).*2 parts"),
    (lambda: tg.split(t(5), (3, 1)), ValueError, r"split: positions \[3, 1\] must rise within 0\.\.5"),
    (lambda: tg.pad(t(2, 3), -1), ValueError, r"pad: .*slice to crop"),
    (lambda: tg.pad(t(2, 3), ((1, 1),) * 3), ValueError, r"pad: .*\(2, 3\)"),
    (lambda: tg.broadcast_to(t(2, 3), (2, 4)), ValueError, r"broadcast_to: \(2, 3\).*\(2, 4\)"),
    (lambda: t(2, 3) == t(4), ValueError, r"equal: shapes \(2, 3\) and \(4,\)"),
    (lambda: t(2) == None, TypeError, r"equal: cannot compare with None"),  # noqa: E711
    (lambda: t(2, 3)[np.array([0.5])], IndexError, r"getitem: an index must be integer or boolean"),
    (lambda: tg.clip(t(2), 1, 0), ValueError, r"clip: a_min = 1 must not be above a_max = 0"),
    (lambda: tg.clip(t(2), "a", 0), TypeError, r"dtype"),
    (lambda: tg.softplus(t(2), 0), ValueError, r"softplus: beta must be positive"),
    (lambda: tg.softmax(t()), ValueError, r"softmax: axis -1 is out of range.*\(\)"),
    (lambda: tg.softmax(t(2), None), ValueError, r"softmax: needs one axis"),
    (lambda: tg.gelu(t(2), "erf"), ValueError, r"gelu: approximate must be 'none' or 'tanh'"),
    (lambda: tg.einsum("ij,jk", t(2, 3)), ValueError, r"'ij,jk' for 1 operands; it must be of the form"),
    (lambda: tg.einsum("i......->i", t(2, 3)), ValueError, r"einsum: .* at most one '...'"),
    (lambda: tg.einsum("ij->ii", t(2, 2)), ValueError, r"einsum: 'ij->ii' repeats"),
    (lambda: tg.einsum("ii", t(2, 3)), ValueError, r"einsum: letter 'i' is 2 in one place and 3 in another"),
    (lambda: tg.einsum(t(2), "i"), TypeError, r"einsum: subscripts .* come first, got Tensor"),
    (lambda: tg.einsum("->"), ValueError, r"einsum: '->' needs operands"),
    (lambda: tg.einsum("ij,jk->iz", t(2, 3), t(3, 2)), ValueError, r"einsum: .*invents"),
    (lambda: tg.einsum("ij,jk->ik", t(2, 3), t(2, 2)), ValueError, r"letter 'j' is 3.*and 2.*\(2, 2\)"),
    (lambda: tg.einsum("ij,jk->ik", t(2), t(2, 2)), ValueError, r"einsum: .*of \(1, 2\) axes; each needs"),
    (lambda: dropout(t(2), 1.5), ValueError, r"dropout: p is a probability, got 1\.5"),
    (lambda: mse_loss(t(2, 1), t(2)), ValueError, r"mse_loss: input \(2, 1\) and target \(2,\)"),
    (lambda: mse_loss(t(2), t(2), "avg"), ValueError, r"mse_loss: reduction must be .*'avg'"),
    (lambda: mse_loss(t(2), t(2), convention="half"), ValueError, r"mse_loss: convention"),
    (lambda: huber_loss(t(2), t(2), delta=0), ValueError, r"huber_loss: delta must be positive"),
    (lambda: binary_cross_entropy_with_logits(t(2), t(3)), ValueError, r"\(2,\) and target \(3,\)"),
    (lambda: cross_entropy(t(2, 3), t(2)), ValueError, r"cross_entropy: float targets \(2,\)"),
    (lambda: cross_entropy(t(2, 3), np.zeros(3, int)), ValueError, r"class indices \(3,\).*\(2, 3\)"),
    (lambda: cross_entropy(t(3), np.zeros(3, int)), ValueError, r"class indices \(1, 3\) for input \(1, 3\)"),
    (lambda: cross_entropy(t(2, 3), np.zeros(2, int), np.ones(2)), ValueError, r"weight must be \(3,\)"),
    (lambda: cross_entropy(t(2, 3), np.zeros(2, int), label_smoothing=2), ValueError, r"label_smoothing"),
    (lambda: nll_loss(t(2, 3), t(2, 3)), ValueError, r"nll_loss: .*use integers"),
    (lambda: dropout(whole(3), 0.3), TypeError, r"dropout: input .*int64; use \.astype\('float32'\)"),
    (lambda: dropout(whole(3), mask=[0.5] * 3), TypeError, r"dropout: input .*int64"),
    (lambda: cross_entropy(whole(2, 3), np.zeros(2, int)), TypeError,
     r"cross_entropy: input .*int64; use \.astype"),
    (lambda: nll_loss(whole(2, 3), np.zeros(2, int)), TypeError, r"nll_loss: input .*int64; use \.astype"),
    (lambda: binary_cross_entropy_with_logits(whole(3), t(3), pos_weight=2.5), TypeError,
     r"binary_cross_entropy_with_logits: input .*int64; use \.astype"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[m[:40] for _, _, m in WRONG])
def test_message(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("call", "note"), [
    (lambda: t(2, 3) + t(4), r"in the forward of Add: a \(2, 3\) float32, b \(4,\) float32"),
    (lambda: tg.where(np.ones(3, bool), t(2), t(2)), r"in the forward of Where: a \(2,\)"),
    (lambda: t(2, 3)[5], r"in the forward of GetItem: x \(2, 3\)"),
    (lambda: t(2, 3)[0, 0, 0], r"in the forward of GetItem: x \(2, 3\)"),
])  # fmt: skip
def test_note_names_the_operation_and_the_shapes(call, note):
    with pytest.raises((ValueError, IndexError)) as caught:
        call()
    assert any(re.search(note, line) for line in caught.value.__notes__)
