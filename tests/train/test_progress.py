"""What is told while a training runs, number by number."""

import io
import itertools

import pytest

from tinygrad_notes.train import progress
from tinygrad_notes.train.progress import Bar, Lines, describe, show

LINE = {"epoch": 7, "train_loss": 1.5, "train_accuracy": 0.25, "validation_loss": 2.5,
        "validation_accuracy": 0.75, "lr": 0.1, "seconds": 12.3}  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """`clock(5, 8)`: what the next looks at the clock say."""

    def set_times(*times):
        left = iter(times)
        monkeypatch.setattr(progress.time, "perf_counter", lambda: next(left))

    return set_times


@pytest.fixture
def bar(monkeypatch):
    """A bar on a terminal that nothing refreshes by itself: its thread would ask for the time as well."""
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = show(None, Terminal())
    assert isinstance(shown, Bar)
    monkeypatch.setattr(shown.progress, "start", lambda: None)
    return shown


def test_a_line_names_the_training_first_then_the_validation():
    text = describe(LINE, 20, ("accuracy",))
    assert text == "epoch  7/20  loss 1.5000  accuracy 25.00 %  val 2.5000 75.00 %  12.3 s"
    alone = {name: value for name, value in LINE.items() if not name.startswith("validation_")}
    assert describe(alone, 7) == "epoch 7/7  loss 1.5000  accuracy 0.2500  12.3 s"


def test_a_bar_tells_the_time_that_is_left_in_all_epochs(bar, clock):
    """In 3 s 2 of 10 batches, so 1.5 s for each of the other 8 and of the 20 of two more epochs."""
    clock(100.0, 103.0)
    bar.begin(1, 3, 10, 0)
    bar.update(2, 60, 0.5)
    (row,) = bar.progress.tasks
    assert (row.description, row.completed, row.total) == ("epoch 1/3", 2, 10)
    assert row.fields == {"amount": "2/10", "detail": "loss 0.5000  20 samples/s  0:42 left"}


def test_a_bar_of_an_epoch_that_goes_on_counts_from_there(bar, clock):
    clock(0.0, 2.0)
    bar.begin(3, 3, 10, 6)
    bar.update(7, 8, None)
    (row,) = bar.progress.tasks
    assert (row.description, row.completed) == ("epoch 3/3", 7)
    assert row.fields == {"amount": "7/10", "detail": "4 samples/s  0:06 left"}


def test_work_on_a_bar_tells_the_time_that_is_left(bar, clock):
    clock(0.0, 90.0)
    for done in (0, 30):
        bar.work("decoding train", done, 100, "images")
    (row,) = bar.progress.tasks
    assert row.fields == {"amount": "30/100 images", "detail": "3:30 left"}


def test_work_ends_with_the_time_that_it_took(clock):
    lines = Lines(io.StringIO())
    clock(5.0, 16.0, 17.5, 20.0, 20.5)
    for (task, total), done in itertools.product((("reading", 40),), (1, 10, 40)):
        lines.work(task, done, total, "files")
    for done in (500, 2000):
        lines.work("downloading", done, 2000, "bytes")
    clock(0.0, 10.0, 20.0)
    lines = Lines(lines.stream)
    for done in (0, 500, 999_999):  # the unit is that of the whole, from the first line on
        lines.work("fetching", done, 3_000_000, "bytes")
    assert lines.stream.getvalue().splitlines() == [
        "reading: 10/40 files", "reading: 40/40 files, 12.5 s", "downloading: 2.0/2.0 kB, 0.5 s",
        "fetching: 0.0/3.0 MB", "fetching: 1.0/3.0 MB",
    ]  # fmt: skip
