"""Batches: completeness, reproducibility, resuming, and the thread that must not stay."""

import gc
import itertools
import json
import threading
import time
import traceback

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes import Tensor, backend, manual_seed
from tinygrad_notes.backend import rng
from tinygrad_notes.data import ArrayDataset, Compose, DataLoader, RandomShift, Transform
from tinygrad_notes.data.loader import shuffled
from tinygrad_notes.data.prefetch import _Buffer, prefetch

SIZE = 23


@pytest.fixture(scope="module")
def data():
    images = np.random.default_rng(0).integers(0, 256, (SIZE, 1, 6, 6), dtype=np.uint8)
    return ArrayDataset(images, np.arange(SIZE))


def arrays(batches):
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def assert_same(left, right):
    assert len(left) == len(right)
    for (x, y), (u, v) in zip(left, right, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


def threads():
    return [t for t in threading.enumerate() if t.name == "tinygrad_notes-prefetch"]


# --- what a batch is ---------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 2])
def test_batches_are_tensors_in_order(data, prefetch):
    batches = list(DataLoader(data, 5, prefetch=prefetch))
    assert all(isinstance(x, Tensor) and isinstance(y, Tensor) for x, y in batches)
    assert [x.shape for x, _ in batches] == [(5, 1, 6, 6)] * 4 + [(3, 1, 6, 6)]
    assert {(x.dtype, y.dtype) for x, y in batches} == {(np.dtype("f4"), np.dtype("i8"))}
    images = np.concatenate([x.numpy() for x, _ in batches])
    np.testing.assert_array_equal(images, (data.images / 255).astype(np.float32))
    assert np.concatenate([y.numpy() for _, y in batches]).tolist() == list(range(SIZE))


@given(
    size=st.integers(1, 40),
    batch_size=st.integers(1, 45),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_every_sample_once_and_len(size, batch_size, shuffle, drop_last):
    data = ArrayDataset(np.zeros((size, 1), np.float32), np.arange(size))
    if drop_last and batch_size > size:
        with pytest.raises(ValueError, match="no batch"):
            DataLoader(data, batch_size, shuffle, drop_last)
        return
    loader = DataLoader(data, batch_size, shuffle, drop_last, prefetch=0)
    sizes = [len(y.numpy()) for _, y in loader]
    seen = np.concatenate([y.numpy() for _, y in loader])
    assert len(sizes) == len(loader)
    assert all(s == batch_size for s in sizes[: len(sizes) - (not drop_last)])
    assert len(set(seen)) == len(seen) == (size // batch_size * batch_size if drop_last else size)


def test_order_of_a_key_does_not_depend_on_the_numpy_version():
    assert shuffled(10, 2026).tolist() == [1, 8, 9, 0, 3, 6, 4, 5, 2, 7]


def test_shuffling_is_uniform():
    """Each of 5 items lands on each of 5 places 1/5 of the time (5 σ of the binomial)."""
    table = np.zeros((5, 5))
    for key in range(2000):
        table[np.arange(5), shuffled(5, key)] += 1
    assert (abs(table - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8)).all()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"batch_size": 0}, ValueError),
        ({"batch_size": 2.0}, TypeError),
        ({"batch_size": True}, TypeError),
        ({"prefetch": -1}, ValueError),
        ({"seed": -1}, ValueError),
        ({"seed": 1.5}, TypeError),
        ({"transform": 3}, TypeError),
        ({"batch_size": SIZE + 1, "drop_last": True}, ValueError),
    ],
)
def test_bad_arguments_are_refused(data, arguments, error):
    with pytest.raises(error, match="DataLoader"):
        DataLoader(data, **arguments)


def test_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="0 samples"):
        DataLoader(ArrayDataset(np.zeros((0, 1)), np.zeros(0, int)))


# --- randomness --------------------------------------------------------------------------------


def epochs(data, count=2, **arguments):
    loader = DataLoader(data, 4, shuffle=True, transform=RandomShift(2), **arguments)
    return [batch for _ in range(count) for batch in arrays(loader)]


@pytest.mark.parametrize("prefetch", [1, 2, 50])
def test_prefetching_changes_nothing(data, prefetch):
    assert_same(epochs(data, seed=7, prefetch=0), epochs(data, seed=7, prefetch=prefetch))
    manual_seed(7)
    inline = epochs(data, prefetch=0)
    manual_seed(7)
    assert_same(inline, epochs(data, prefetch=prefetch))


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_ends_the_work_ahead_is_raised_after_the_items_before_it(kind):
    def items():
        yield from range(3)
        raise kind("at the fourth")

    taken = []
    with pytest.raises(kind, match="at the fourth"):
        for item in prefetch(items(), 2):
            taken.append(item)
    assert taken == [0, 1, 2]


def test_seeds_and_epochs_differ(data):
    first = epochs(data, 2, seed=1)
    half = len(first) // 2
    orders = [
        tuple(np.concatenate([y for _, y in part]))
        for part in (first[:half], first[half:], epochs(data, 1, seed=2))
    ]
    assert len(set(orders)) == 3


def test_own_seed_leaves_the_global_generator_alone(data):
    manual_seed(0)
    before = rng().bit_generator.state
    epochs(data, seed=1)
    arrays(DataLoader(data, 4))  # nothing random, so nothing is drawn
    assert rng().bit_generator.state == before


def test_global_generator_is_drawn_once_an_epoch_in_the_calling_thread(data, monkeypatch):
    calls = []

    def recorded():
        calls.append(threading.current_thread())
        return rng()

    monkeypatch.setattr("tinygrad_notes.backend.rng", recorded)
    epochs(data, 3)
    assert calls == [threading.main_thread()] * 3


# --- resuming ----------------------------------------------------------------------------------


@given(
    taken=st.integers(0, 6),
    saver=st.integers(0, 3),
    reader=st.integers(0, 3),
    seed=st.none() | st.integers(0, 2**70),
    begun=st.integers(0, 2),
)
def test_resume_yields_exactly_the_rest(taken, saver, reader, seed, begun):
    data = ArrayDataset(np.random.default_rng(1).integers(0, 256, (SIZE, 1, 5, 5), np.uint8), np.arange(SIZE))

    def loader(prefetch):
        transform = RandomShift(1)
        return DataLoader(data, 4, True, transform=transform, prefetch=prefetch, seed=seed)

    first = loader(saver)
    for _ in range(begun):
        arrays(first)
    iteration = iter(first)
    for _ in range(taken):
        next(iteration)
    state = json.loads(json.dumps(first.state_dict()))
    assert state["next_batch"] == taken
    rest = arrays(iteration)
    assert len(rest) == 6 - taken

    second = loader(reader)
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert_same(arrays(second), rest)
    if seed is not None:  # and then the same next epoch
        assert_same(arrays(second), arrays(first))


def test_state_between_epochs(data):
    loader = DataLoader(data, 4, shuffle=True, seed=5)
    assert loader.state_dict() == {"key": None, "next_batch": 0, "epoch": 0}
    arrays(loader)
    state = loader.state_dict()
    assert state == {"key": None, "next_batch": 0, "epoch": 1}
    resumed = DataLoader(data, 4, shuffle=True, seed=5)
    resumed.load_state_dict(state)
    assert_same(arrays(resumed), arrays(loader))


def test_an_abandoned_epoch_is_not_continued(data):
    loader = DataLoader(data, 4, shuffle=True, seed=5)
    for _ in loader:
        break
    assert loader.state_dict()["next_batch"] == 1
    assert len(list(loader)) == len(loader)


def test_state_follows_the_latest_iteration_only(data):
    loader = DataLoader(data, 4, shuffle=True, seed=5)
    old = iter(loader)
    next(old)
    new = iter(loader)
    next(new)
    state = loader.state_dict()
    arrays(old)
    assert loader.state_dict() == state


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_iteration_from_before_a_state_was_loaded_moves_nothing(data, prefetch):
    loader = DataLoader(data, 4, shuffle=True, seed=5, prefetch=prefetch)
    old = iter(loader)
    next(old)
    state = loader.state_dict()
    expected = arrays(old)
    for taken in (1, len(loader)):  # in the middle of it, and past its end
        old = iter(loader)
        next(old)
        loader.load_state_dict(state)
        arrays(itertools.islice(old, taken))
        assert loader.state_dict() == state
        assert_same(arrays(loader), expected)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"key": 1, "next_batch": 7, "epoch": 0},
        {"key": None, "next_batch": 1, "epoch": 0},
        {"key": 1, "next_batch": -1, "epoch": 0},
        {"key": -1, "next_batch": 0, "epoch": 0},
    ],
)
def test_unfit_state_is_refused(data, state):
    loader = DataLoader(data, 4)
    with pytest.raises(ValueError, match="DataLoader"):
        loader.load_state_dict(state)
    assert loader.state_dict() == {"key": None, "next_batch": 0, "epoch": 0}


# --- the thread --------------------------------------------------------------------------------


class FailsAt:
    """A dataset whose batch with sample `bad` cannot be read."""

    def __init__(self, bad):
        self.bad = bad

    def __len__(self):
        return 100

    def __getitem__(self, index):
        if self.bad in index:
            raise OSError(f"sample {self.bad} is unreadable")
        return np.zeros((len(index), 1), np.float32), np.zeros(len(index), int)


@pytest.mark.parametrize("prefetch", [0, 1, 2, 50])
def test_exception_arrives_after_the_good_batches_with_its_traceback(prefetch):
    good = 0
    with pytest.raises(OSError, match="sample 35 is unreadable") as caught:
        for _ in DataLoader(FailsAt(35), 10, prefetch=prefetch):
            good += 1
    assert good == 3
    frames = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert frames[-1] == "__getitem__"
    assert not threads()


def test_thread_ends_with_the_epoch(data):
    list(DataLoader(data, 4))
    assert not threads()


def test_thread_ends_after_break(data):
    for _ in DataLoader(data, 1):
        assert len(threads()) == 1
        break
    assert not threads()


def test_thread_ends_when_the_iterator_is_dropped(data):
    iteration = iter(DataLoader(data, 1))
    next(iteration)
    assert len(threads()) == 1
    del iteration
    assert not threads()


def test_thread_ends_when_the_iterator_dies_in_a_cycle(data):
    iteration = iter(DataLoader(data, 1))
    next(iteration)
    cycle = [iteration]
    cycle.append(cycle)
    del iteration, cycle
    gc.collect()
    assert not threads()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_thread_ends_when_the_loop_body_raises(data, error):
    with pytest.raises(error):
        for _ in DataLoader(data, 1):
            raise error
    assert not threads()


def test_thread_ends_when_the_wait_is_interrupted(data, monkeypatch):
    """Ctrl-C while the consumer waits for a slow batch."""
    slow = threading.Event()

    class Slow(FailsAt):
        def __getitem__(self, index):
            slow.wait(5)
            return super().__getitem__(index)

    def interrupted(self, predicate, timeout=None):
        if threading.current_thread() is threading.main_thread():
            slow.set()
            raise KeyboardInterrupt
        return original(self, predicate, timeout)

    original = threading.Condition.wait_for
    monkeypatch.setattr(threading.Condition, "wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(iter(DataLoader(Slow(None), 10)))
    assert not threads()


def test_thread_ends_when_a_batch_cannot_become_a_tensor():
    """Also while the exception, whose traceback holds the iterator's frames, is kept."""

    class Words(FailsAt):
        def __getitem__(self, index):
            return np.zeros((len(index), 1)), np.array(["word"] * len(index))

    with pytest.raises((TypeError, ValueError)) as caught:
        next(iter(DataLoader(Words(None), 10)))
    assert caught.tb is not None and not threads()


def test_iterator_may_be_closed_by_its_own_thread():
    """As the garbage collector does when it happens to run there."""
    iteration, go, closed = None, threading.Event(), []

    class Closes(FailsAt):
        def __getitem__(self, index):
            if index[0] == 20:  # the second batch may have to be there before the first is given
                go.wait(5)
                iteration.close()
                closed.append(threading.current_thread())
            return super().__getitem__(index)

    iteration = iter(DataLoader(Closes(None), 10))
    next(iteration)
    (thread,) = threads()
    go.set()
    thread.join(5)
    assert closed == [thread] and not thread.is_alive()


def test_buffer_may_be_abandoned_by_the_holder_of_its_lock():
    buffer = _Buffer(1)

    def collect():
        with buffer.changed:
            buffer.abandon()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_iterator_that_was_never_advanced_starts_no_thread(data):
    iteration = iter(DataLoader(data, 1))
    assert not threads()
    del iteration


def test_at_most_prefetch_batches_are_ready(data):
    made = []

    class Counting(Transform):
        def __call__(self, images, rng=None):
            made.append(len(images))
            return images

    iteration = iter(DataLoader(data, 1, transform=Counting(), prefetch=3))
    next(iteration)
    time.sleep(0.05)
    on_its_way = backend.BACKEND == "cupy"
    assert len(made) <= 1 + on_its_way + 3 + 1  # handed out, ready, and one in the thread's hands
    iteration.close()


def test_plain_callable_as_transform(data):
    loader = DataLoader(data, SIZE, transform=lambda images, rng: images[:, :, ::-1])
    ((images, _),) = arrays(loader)
    np.testing.assert_array_equal(images, (data.images[:, :, ::-1] / 255).astype(np.float32))
    assert not Compose().random
