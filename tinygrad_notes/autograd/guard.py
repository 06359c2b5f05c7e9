"""Notices data that was changed while a backward still needs it.

The graph keeps arrays, not copies. Two things can change such an array behind its back:

* the package itself, in place (an optimizer step): it reports every write with `touched`;
* the user, through an array handed out by ``Tensor.data`` or ``Tensor.numpy()``: `lend` takes a
  checksum at that moment, before the user can write.

A node notes the stamp of what it keeps and compares it in its backward. Memory that was neither
written nor lent has no record, so the usual cost is one look-up. Records are kept by the array
that owns the memory: views of it are covered too.
"""

from __future__ import annotations

import weakref
import zlib
from typing import Any

from .. import backend
from ..backend.capture import running

Stamp = tuple[int, int | None] | None


class _Record:
    """What is known of one block of memory."""

    __slots__ = ("checksum_when_lent", "reference", "writes")

    def __init__(self, reference: Any) -> None:
        self.reference = reference
        self.writes = 0
        self.checksum_when_lent: int | None = None


records: dict[int, _Record] = {}


def _owner(array: Any) -> Any:
    while (base := getattr(array, "base", None)) is not None:
        array = base
    return array


def _record(owner: Any) -> _Record:
    key = id(owner)
    record = records.get(key)
    if record is None:
        forget = records.pop  # when the interpreter ends, `records` may be gone before the array
        try:
            reference: Any = weakref.ref(owner, lambda _: forget(key, None))
        except TypeError:  # a foreign buffer: hold it, so that its id stays its own
            reference = owner
        record = records[key] = _Record(reference)
    return record


def _checksum(array: Any) -> int | None:
    if not backend.is_array(array):
        return None
    host: Any = backend.to_numpy(array)
    return zlib.crc32(host if host.flags.c_contiguous else host.T.copy())


def touched(array: Any) -> None:
    """Report that the package wrote into `array`."""
    if running:  # each replay of a captured step does
        running[-1].written.append(array)
    _record(_owner(array)).writes += 1


def lend(array: Any) -> None:
    """Remember what `array` holds now, before it is handed to somebody who may write."""
    owner = _owner(array)
    record = _record(owner)
    if record.checksum_when_lent is None:
        record.checksum_when_lent = _checksum(owner)


def arrays(attributes: dict[str, Any]) -> list[Any]:
    """The attributes of a node that are arrays: a backward may need them as well."""
    return [value for value in attributes.values() if backend.is_array(value)]


def stamp(array: Any) -> Stamp:
    """What a node notes of an array that it keeps: (writes, checksum if it is out on loan)."""
    record = records.get(id(_owner(array)))
    if record is None:
        return None
    lent = record.checksum_when_lent is not None
    return record.writes, _checksum(array) if lent else None


def unchanged(array: Any, noted: Stamp) -> bool:
    """Whether `array` still holds what it held when `stamp` gave `noted`."""
    record = records.get(id(_owner(array)))
    if record is None:
        return True
    writes, checksum = noted or (0, None)
    if writes != record.writes:
        return False
    if record.checksum_when_lent is None:
        return True
    if checksum is None:  # kept before it was lent: the loan's own checksum, of the whole, is the reference
        return record.checksum_when_lent == _checksum(_owner(array))
    return checksum == _checksum(array)


def check(node: Any) -> None:
    """Raise RuntimeError where an array that `node` kept was changed since its forward."""
    for group, kept in enumerate((*node.kept, node.save_inputs, arrays(node.attributes))):
        if not kept:
            continue
        noted = node.stamps[group] if node.stamps else None
        for value, stamped in zip(kept, noted or [None] * len(kept), strict=True):
            if type(value) is not tuple and not unchanged(value, stamped):
                raise RuntimeError(
                    f"backward of {node.operation.name}: data of shape {value.shape} that it needs "
                    "was changed since the forward; run the forward again after the change, or "
                    "change a copy"
                )
