"""Images and their classes: the networks of the notes, from LeNet-5 to ResNet.

Reading order: settings (the options), recipes (each network's defaults), parts (training, validation, test),
pipeline (from stored images to the network's input), task (what the loop is told), files, pictures.
"""

from .task import TASK

__all__ = ["TASK"]
