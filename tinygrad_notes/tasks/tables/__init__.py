"""Tables: a class, or a number, from the other columns of its row.

Reading order: settings (the options), parts (split, cleaned), network, task (what the loop is told).
"""

from .task import TASK

__all__ = ["TASK"]
