"""The next batch travels while the device computes: order, memory and errors; the numbers stay the same."""

import sys
import threading
from collections import Counter

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.bits import same
from tinygrad_notes.data import ArrayDataset, DataLoader
from tinygrad_notes.data.prefetch import prefetch
from tinygrad_notes.tasks import find_task
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import READ_EVERY, Trainer

CASES = {  # task, model, options
    "images": ("images", "lenet5", dict(data="digits", limit=150, batch_size=16)),
    "labels": ("labels", "classify", dict(limit=100, batch_size=16, width=4, dropout=0.1)),
}  # fmt: skip


@pytest.fixture
def cupy(gpu):
    """The stand-in."""
    module = sys.modules["cupy"]
    if not hasattr(module, "_standin"):
        pytest.skip("a real GPU counts nothing")
    return module


@pytest.fixture
def copies(cupy, monkeypatch):
    """{(from page-locked memory, by a stream beside the computing one): copies} to the device."""
    found, copy = Counter(), cupy.ndarray.set

    def noted(self, arr, stream=None):
        beside = stream is not None and stream != cupy.cuda.get_current_stream() and stream.is_non_blocking
        found[cupy.cuda.pinned_memory._memory_of(arr) is not None, beside] += 1
        copy(self, arr, stream)

    monkeypatch.setattr(cupy.ndarray, "set", noted)
    return found


def made(name, depth=2):
    task, model, given = CASES[name]
    task = find_task(task)
    settings = task.settings(model, **given)
    parts = task.load(settings)
    tg.manual_seed(0)
    network = task.build(settings, parts.facts)
    loaders = [
        task.batches(settings, parts.facts, part, training)
        for part, training in ((parts.train, True), (parts.validation, False))
    ]
    for loader in loaders:
        getattr(loader, "batches", loader).prefetch = depth
    return Trainer(task, network, settings.make_optimizer(network), *loaders)


def state(trainer):
    """All of it, without the seconds."""
    found = trainer.state_dict()
    found["resume"]["sums"].pop("seconds")
    found["resume"]["history"] = [{**line, "seconds": 0} for line in trainer.history]
    return found


@pytest.mark.parametrize("name", CASES)
def test_batches_come_from_page_locked_memory_by_a_stream_of_their_own(cupy, copies, name):
    trainer = made(name)
    arrays = [sum(isinstance(x, tg.Tensor) for x in next(iter(part))) for part in
              (trainer.train, trainer.validation)]  # fmt: skip
    trainer = made(name)
    copies.clear()
    cupy._standin.reset()
    trainer.fit(1)
    batches = len(trainer.train), len(trainer.validation)
    assert batches[0] > 4 and min(arrays) > 1
    assert copies[True, True] == np.dot(batches, arrays) and not copies[False, True]
    reads = -(-batches[0] // READ_EVERY) + 1  # of the losses, in training and validation
    assert cupy._standin.syncs.total() == reads, cupy._standin.syncs
    assert not cupy._order._late


@pytest.mark.parametrize("name", CASES)
def test_a_training_is_the_one_without_it(cupy, copies, name):
    found = []
    for depth in (2, 0):
        trainer = made(name, depth)
        trainer.fit(2)
        found.append(state(trainer))
        assert bool(copies[True, True]) == (depth > 0)
        copies.clear()
    assert same(*found)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_state_is_that_of_the_last_batch_learned_from(cupy, name, stop_at):
    whole = made(name, 0)
    whole.fit(1)
    trainer, steps, kept = made(name), iter(range(1, 1000)), []
    with pytest.raises(Interrupted):
        trainer.fit(1, should_stop=lambda: next(steps) == stop_at, save=lambda t: kept.append(t.state_dict()))
    assert kept[0]["resume"]["loader"]["next_batch"] == kept[0]["resume"]["batch"] == stop_at
    tg.manual_seed(99)
    other = made(name)
    other.load_state_dict(kept[0])
    other.fit(1)
    assert same(state(other), state(whole))
    assert not cupy._order._late


# ---- batches of any kind -----------------------------------------------------------------------


class Given:
    """A dataset whose batch i is `batches[i]`; an exception is raised."""

    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        batch = self.batches[index[0]]
        if isinstance(batch, BaseException):
            raise batch
        return batch


KINDS = {
    "rows": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(24.0).reshape(4, 6)[::2, ::2],
    "half": np.arange(5, dtype=np.float16),
    "big-endian": np.arange(5, dtype=">i4"),
    "booleans": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "a number": np.array(3),
    "read-only": np.broadcast_to(np.float32(2), (2, 2)),
    "a list": [1.5, 2.5],
    "a memory map": np.arange(4).view(np.memmap),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_arrays_of_any_kind_arrive_as_a_tensor_of_them_would(cupy, name):
    batch = np.zeros((1, 1), np.float32), KINDS[name]
    expected = tg.Tensor(KINDS[name])
    for _, tensor in list(DataLoader(Given(batch, batch, batch))):  # all of them at once
        assert tensor.dtype == expected.dtype and tensor.data.flags.fnc == expected.data.flags.fnc
        np.testing.assert_array_equal(tensor.numpy(), expected.numpy())
        assert tensor.shape == expected.shape


def test_numbers_for_the_host_stay_there(cupy):
    batches = list(DataLoader(Given((np.zeros((1, 2)), 5), (np.zeros((1, 2)), 7))))
    assert [number for _, number in batches] == [5, 7] and type(batches[0][1]) is int


@pytest.mark.parametrize(
    ("bad", "kind", "text"),
    [
        (OSError("unreadable"), OSError, "unreadable"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
        ((np.zeros((1, 2)), np.array(["a"])), TypeError, "<U1 is not supported"),
        ((np.zeros((1, 2)), np.array([None])), TypeError, "object is not supported"),
        ((np.zeros((1, 2)), np.ma.masked_array([1, 2])), TypeError, "would lose its mask"),
    ],
)
def test_what_goes_wrong_with_a_batch_is_raised_in_its_turn(cupy, bad, kind, text):
    good = np.ones((1, 2), np.float32), np.zeros(1, int)
    loader, taken = DataLoader(Given(good, good, bad, good)), []
    with pytest.raises(kind, match=text):
        for x, _ in loader:
            taken.append(float((x + 1).sum()))  # memory of the bad batch may be given to it
    assert taken == [4, 4] or (kind is KeyboardInterrupt and taken == [4])
    assert loader.state_dict()["next_batch"] == len(taken) and not cupy._order._late
    assert not [t for t in threading.enumerate() if t.name == "tinygrad_notes-prefetch"]


def test_batches_that_nobody_takes_go_back_when_they_have_arrived(cupy):
    loader = DataLoader(ArrayDataset(np.zeros((40, 1, 2, 2), np.uint8), np.arange(40)), 4)
    next(iter(loader))
    for _ in loader:
        break
    cupy.empty(3)  # refused while a copy goes into memory that is free
    assert not cupy._order._late


def test_memory_of_the_host_is_kept_while_it_is_copied_and_no_longer(cupy):
    ahead = sys.modules["tinygrad_notes.backend.gpu.ahead"]
    loader, held = DataLoader(ArrayDataset(np.zeros((40, 1, 2, 2), np.uint8), np.arange(40)), 4), []
    for _ in loader:
        held.append(sum(not event.done for event, _ in ahead._kept))
    assert held == [2] * 9 + [0]  # image and label of the next batch
    list(DataLoader(loader.dataset, 40))
    assert len(ahead._kept) == 2 and all(len(host) == 40 for _, host in ahead._kept)


def test_without_page_locked_memory_arrays_enter_as_they_always_do(cupy, copies, monkeypatch):
    def refused(size):
        raise cupy.cuda.runtime.CUDARuntimeError(2)

    monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", refused)
    images = np.arange(16, dtype=np.uint8).reshape(4, 1, 2, 2)
    found = [y.numpy().tolist() for _, y in DataLoader(ArrayDataset(images, np.arange(4)), 2)]
    assert found == [[0, 1], [2, 3]] and not copies[True, True]


def test_sizes_of_page_locked_memory_are_few(cupy, monkeypatch):
    sizes, allocate = set(), cupy.cuda.alloc_pinned_memory
    monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", lambda size: sizes.add(size) or allocate(size))
    batches = [(np.zeros((1, length), np.float32), np.zeros(1, int)) for length in range(1000, 2000, 9)]
    assert len(list(DataLoader(Given(*batches)))) == len(batches)
    assert sizes == {512, 4096, 5120, 6144, 7168, 8192}


def test_streams_may_change_between_batches(cupy, copies):
    loader, found = DataLoader(ArrayDataset(np.zeros((12, 1, 2, 2), np.uint8), np.arange(12)), 2), []
    batches, streams = iter(loader), [cupy.cuda.Stream(non_blocking=True) for _ in range(2)]
    for i in range(6):
        with streams[i % 2]:
            found += next(batches)[1].numpy().tolist()
    assert found == list(range(12)) and copies == {(True, True): 12}


def test_a_stream_that_is_in_use_stays_so(cupy):
    stream = cupy.cuda.Stream(non_blocking=True)
    try:
        stream.use()
        list(DataLoader(ArrayDataset(np.zeros((4, 1, 2, 2), np.uint8), np.arange(4)), 2))
        assert cupy.cuda.get_current_stream() is stream
    finally:
        cupy.cuda.Stream.null.use()


def test_on_another_gpu_batches_enter_as_they_always_do(cupy, copies, monkeypatch):
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 2)
    batches = iter(DataLoader(ArrayDataset(np.zeros((8, 1, 2, 2), np.uint8), np.arange(8)), 2))
    found = [next(batches)[1].numpy().tolist()]
    with cupy.cuda.Device(1):
        found += [y.numpy().tolist() for _, y in batches]
    assert found == [[0, 1], [2, 3], [4, 5], [6, 7]] and copies[True, True] == 4


def test_other_threads_bring_their_arrays_over_by_themselves(cupy, copies):
    lane, seen = tg.backend.xp.Lane(), []

    def enter(batch):
        thread = threading.Thread(target=lambda: seen.append(tg.Tensor(batch).numpy().tolist()))
        thread.start()
        thread.join()
        return tg.Tensor(batch)

    batches = prefetch(map(np.atleast_1d, iter([1, 2, 3])), 1)
    assert [x.item() for x in lane.ahead(enter, batches)] == [1, 2, 3]
    assert seen == [[1], [2], [3]] and copies == {(True, True): 3}


def test_on_numpy_batches_are_made_when_they_are_asked_for():
    with tg.backend.use_backend("numpy"):
        lane, entered = tg.backend.xp.Lane(), []
        arrays = (np.zeros(1),)
        assert lane.prepared(arrays) is arrays
        batches = lane.ahead(lambda batch: entered.append(batch) or batch, iter([1, 2]))
        assert next(batches) == 1 and entered == [1]
