"""Batches of a stream together with what the model keeps from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...autograd import Tensor
from ...data.text import Streams


class Carried:
    """Batches (ids, next ids, self): a model takes `state`, and gives `keep` the one after its batch.

    `characters` (V,) are how many each id has, for what is counted beside the loss.
    The state is part of where the training stands: it is saved with it, and comes back when it goes on.
    """

    def __init__(self, batches: Streams, characters: Any) -> None:
        self.batches, self.characters = batches, Tensor(characters)
        self.state: tuple[Tensor, ...] = ()
        self.place = 0  # index of the batch that `state` belongs before

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for ids, following, _ in self.batches:
            index = self.batches.state_dict()["next_batch"] - 1
            if index != self.place or index == 0:
                self.state, self.place = (), index
            yield ids, following, self

    def keep(self, state: tuple[Tensor, ...]) -> None:
        self.state, self.place = state, self.place + 1

    def state_dict(self) -> dict[str, Any]:
        arrays = [x.numpy() for x in self.state]
        return {**self.batches.state_dict(), "carried": {"place": self.place, "arrays": arrays}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on before batch `state["next_batch"]`: with the saved state, or with the one that is here, where
        what was saved belongs before another batch."""
        position = dict(state)
        carried = position.pop("carried")
        self.batches.load_state_dict(position)
        if carried["place"] == position["next_batch"]:
            self.state, self.place = tuple(Tensor(array) for array in carried["arrays"]), carried["place"]
        elif self.place != position["next_batch"] != 0:
            raise ValueError(
                f"Carried: the state saved is that before batch {carried['place']}, and not the one before "
                f"batch {position['next_batch']}"
            )
