"""Helpers around layers, where torch.nn has them."""

from . import rnn

__all__ = ["rnn"]
