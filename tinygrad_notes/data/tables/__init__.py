"""Tables of numbers and words: read, looked at, cleaned.

Reading order: table (columns), read (files), normalization, cleaning (what is learned from the training part,
and applied to all), prepare (the steps in their order, with a report), describe (figures of a table).
"""

from .cleaning import Cleaning, Preparation, Prepared
from .prepare import prepare
from .read import PENGUINS, holds_table, load_penguins, read_table, rows_of_words
from .table import Table, is_missing, kind_of

__all__ = [
    "PENGUINS",
    "Cleaning",
    "Preparation",
    "Prepared",
    "Table",
    "holds_table",
    "is_missing",
    "kind_of",
    "load_penguins",
    "prepare",
    "read_table",
    "rows_of_words",
]
