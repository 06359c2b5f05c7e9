"""Language models: what comes next in a text, by characters (charlm) or byte pairs (tokenlm).

Reading order: settings (the options), texts (corpora and their ids), carried (what a model keeps from one
piece of the text to the next), task (what the loop is told), generation (texts that it writes).
"""

from .task import TASK

__all__ = ["TASK"]
