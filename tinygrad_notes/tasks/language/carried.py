"""Batches of a stream together with what the model keeps from one to the next."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ...autograd import Tensor
from ...data.text import Streams
from ...ops.creation import zeros_like
from ...train.task import Carrying


class Carried(Carrying):
    """Batches (ids, next ids, characters, *state, how many ids): the model goes on from `state`.

    `keep` takes the state behind a batch. An epoch begins with zeros, or the first time without a state: to a
    model the same. `characters` (V,) are how many each id has, for what is counted beside the loss.
    The state is part of where the training stands: it is saved with it, and comes back when it goes on.
    """

    def __init__(self, batches: Streams, characters: Any) -> None:
        self.batches, self.characters = batches, Tensor(characters)
        self.state: tuple[Tensor, ...] = ()
        self.place = 0  # index of the batch that `state` belongs before

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._run(iter(self.batches))

    def _run(self, batches: Iterator[tuple[Tensor, ...]]) -> Generator[tuple[Any, ...], None, None]:
        for ids, following, _ in batches:
            index = self.batches.state_dict()["next_batch"] - 1
            if index != self.place or index == 0:
                self.state, self.place = tuple(map(zeros_like, self.state)), index
            yield ids, following, self.characters, *self.state, ids.size

    def keep(self, carried: tuple[Tensor, ...]) -> None:
        self.state, self.place = carried, self.place + 1

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
