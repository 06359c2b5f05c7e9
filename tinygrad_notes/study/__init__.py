"""Studies: one small, seeded comparison each, with a table, a plot and one sentence from its numbers.

They are the training focus of the notes: what the learning rate, the batch size, the activation and others
do. Each runs in less than a minute on embedded data. Reading order: finding (what a study gives, and how it
is drawn), fitting (the loop they share), then any topic.
"""

from __future__ import annotations

import importlib

from .finding import Finding

TOPICS = {
    "learning-rate": "too small, right and too large, with a range test that suggests one",
    "batch-size": "the same epochs in small and large batches",
    "overfitting": "a network too large for 500 digits; dropout, weight decay and early stopping against it",
    "activation": "sigmoid, tanh, ReLU and Leaky ReLU over depth: loss, gradients, dead units",
    "loss": "squared error and Huber with outliers; squared error and cross-entropy for classes",
    "initialization": "zeros, too small, too large, Xavier and He: variances layer by layer",
    "normalization": "inputs of different scales, as they are, standardized, and with batch normalization",
    "optimizer": "SGD, momentum, Nesterov and Adam: the path in a valley, and the curves on digits",
    "cleaning": "penguins raw, cleaned, and cleaned wrongly by figures of the test part",
}


def run(topic: str, seed: int = 0, share: float = 1.0) -> Finding:
    """The finding of one topic; `share` of its steps (1 is the study, less is a look).

    Raises ValueError for an unknown topic.
    """
    if topic not in TOPICS:
        raise ValueError(f"unknown topic {topic!r}; choose from {', '.join(TOPICS)}")
    module = importlib.import_module(f".{topic.replace('-', '_')}", __package__)
    found: Finding = module.run(seed, share)
    return found
