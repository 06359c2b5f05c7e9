"""The chain of a network whose training has several outputs."""

from tinygrad_notes import nn
from tinygrad_notes.cli.chain import chain
from tinygrad_notes.cli.networks import Network


class Two(nn.Module):
    """Two auxiliary classifiers beside the last layer, in training only."""

    input_shape = (3,)

    def __init__(self):
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)
        self.first, self.second = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        x = self.body(x)
        return (self.head(x), self.first(x), self.second(x)) if self.training else self.head(x)


def test_the_loss_of_every_output_is_in_it():
    rows = chain(Network("Two", Two, "Two"))
    assert [row["operation"] for row in rows].count("CrossEntropyOfClasses") == 3
    layers = [row["layer"] for row in rows if row["operation"] == "Linear"]
    assert layers == ["second", "first", "head", "body"]  # from the last that ran to the first
    by_layer = {row["layer"]: row for row in rows if row["operation"] == "Linear"}
    assert by_layer["head"]["gives"] == {"x": [2, 4], "w": [2, 4], "b": [2]} and by_layer["head"][
        "takes"
    ] == [[2, 2]]
    assert by_layer["body"]["gives"] == {"x": [2, 3], "w": [4, 3], "b": [4]}
