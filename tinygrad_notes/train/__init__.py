"""Training: the loop, its checkpoints, metrics and plots, and the folder that holds a run.

Reading order: loop (the training itself), checkpoint (files that are whole or not there), interrupt,
metrics, plots, progress, recipes (defaults of each network), run (the folder), summary (sizes), graph.
"""

from .checkpoint import CheckpointError, load, save
from .interrupt import Interrupted, stop_on_signal
from .loop import Diverged, Trainer, evaluate
from .metrics import accuracy, confusion_matrix, precision_recall

__all__ = [
    "CheckpointError", "Diverged", "Interrupted", "Trainer", "accuracy", "confusion_matrix", "evaluate",
    "load", "precision_recall", "save", "stop_on_signal",
]  # fmt: skip
