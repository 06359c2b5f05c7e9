"""Training: the loop and what every training needs. It knows no task: those stand above, in `tasks`.

Reading order: task (what a training is told), loop (the training itself), options and settings (declared
once), interrupt, progress, plots, config, origin, folder and run (the folder of a training).
"""

from .interrupt import Interrupted, stop_on_signal
from .loop import Diverged, Trainer, evaluate
from .options import RunError, option
from .settings import Settings
from .task import Batches, Outcome, Parts, Score, Task

__all__ = [
    "Batches", "Diverged", "Interrupted", "Outcome", "Parts", "RunError", "Score", "Settings", "Task",
    "Trainer", "evaluate", "option", "stop_on_signal",
]  # fmt: skip
__dir__ = __all__.copy  # what dir() and completion offer
