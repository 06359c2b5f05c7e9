"""A class for each text or series: surnames and their languages, sentences, measurements of any length.

Reading order: settings (the options), samples (what is read from files), task (what the loop is told).
"""

from .task import TASK

__all__ = ["TASK"]
