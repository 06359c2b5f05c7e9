"""Vectors of words (word2vec): from a text of any size.

Reading order: settings (the options), corpus (a text becomes numbers on disk), task (what the loop is told),
pictures (words in a plane).
"""

from .task import TASK

__all__ = ["TASK"]
