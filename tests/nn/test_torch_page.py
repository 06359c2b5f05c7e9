"""What docs/torch.md says of PyTorch's side for sequences: of the installed PyTorch it is still true."""

import inspect

import numpy as np
import pytest

from tinygrad_notes import nn, optim
from tinygrad_notes.data import DataLoader

torch = pytest.importorskip("torch", reason="what torch has needs torch")


@pytest.mark.parametrize(
    "name", ["pack_padded_sequence", "pad_packed_sequence", "pack_sequence", "unpad_sequence"]
)
def test_packed_sequences_are_not_here(name):
    assert hasattr(torch.nn.utils.rnn, name) and not hasattr(nn.utils.rnn, name)


@pytest.mark.parametrize("name", ["CTCLoss", "AdaptiveLogSoftmaxWithLoss"])
def test_losses_that_are_not_here(name):
    assert hasattr(torch.nn, name) and not hasattr(nn, name)


@pytest.mark.parametrize("name", ["DotAttention", "GeneralAttention", "AdditiveAttention"])
def test_attentions_that_are_only_here(name):
    assert hasattr(nn, name) and not hasattr(torch.nn, name)
    assert hasattr(optim, "RowSGD") and not hasattr(torch.optim, "RowSGD")


def test_recurrent_layers_take_lengths():
    for name in ("flatten_parameters", "all_weights"):
        assert hasattr(torch.nn.GRU(3, 4), name) and not hasattr(nn.GRU(3, 4), name)
    theirs, ours = (inspect.signature(layer.forward).parameters for layer in (torch.nn.GRU, nn.GRU))
    assert list(theirs) == ["self", "input", "hx"] and list(ours) == [*theirs, "lengths"]


def test_lengths_in_any_order():
    with pytest.raises(RuntimeError, match="sorted"):
        torch.nn.utils.rnn.pack_padded_sequence(torch.ones(5, 2, 3), [2, 5])
    assert nn.GRU(3, 4)(np.ones((5, 2, 3), np.float32), lengths=[2, 5])[0].shape == (5, 2, 4)


def test_lengths_out_of_range():
    pack = torch.nn.utils.rnn.pack_padded_sequence
    assert pack(torch.ones(5, 2, 3), [6, 5]).data.shape == (10, 3)
    with pytest.raises(RuntimeError, match="greater than 0"):
        pack(torch.ones(5, 2, 3), [5, 0])


def test_both_stacks_end_with_a_norm():
    for library in (torch.nn, nn):
        names = library.Transformer(8, 2, 1, 1, 16, batch_first=True).state_dict()
        assert {"encoder.norm.weight", "decoder.norm.weight"} <= set(names)


def test_loaders_differ_in_arguments():
    theirs, ours = (
        inspect.signature(loader.__init__).parameters for loader in (torch.utils.data.DataLoader, DataLoader)
    )
    assert {"collate_fn", "sampler", "batch_sampler", "num_workers"} <= theirs.keys() - ours.keys()
    assert "seed" in ours.keys() - theirs.keys()
