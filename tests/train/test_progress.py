"""What is told while a training runs, number by number."""

import io
import itertools
import warnings
from types import SimpleNamespace

import pytest

from tinygrad_notes.train import progress
from tinygrad_notes.train.progress import Bar, Forgiving, Lines, describe, show, warnings_told

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


# ---- the pieces ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "total", "unit", "text"),
    [
        (1, 999, "bytes", "1/999 bytes"),
        (500, 1000, "bytes", "0.5/1.0 kB"),
        (1, 999_999, "bytes", "0.0/1000.0 kB"),
        (250_000, 1_000_000, "bytes", "0.2/1.0 MB"),
        (5e8, 1e9, "bytes", "0.5/1.0 GB"),
        (1234, 5_000_000, "images", "1,234/5,000,000 images"),
    ],
)
def test_amounts_have_the_unit_of_the_whole(done, total, unit, text):
    assert progress._amount(int(done), int(total), unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (61, "1:01"), (3600, "60:00")]
)
def test_time_is_in_minutes_and_seconds(seconds, text):
    assert progress._clock(seconds) == text


def test_shares_are_in_percent():
    assert progress.figure("accuracy", 0.123456, ("accuracy",)) == "12.35 %"
    assert progress.figure("accuracy", 0.5, ("accuracy",)) == "50.00 %"
    assert progress.figure("accuracy", 0.5) == progress.figure("loss", 0.5, ("accuracy",)) == "0.5000"


# ---- where it is shown ---------------------------------------------------------------------------


@pytest.mark.parametrize(("term", "kind"), [("xterm-256color", Bar), ("dumb", Lines)])
def test_a_bar_is_for_terminals_that_can_show_one(monkeypatch, term, kind):
    monkeypatch.setenv("TERM", term)
    task = SimpleNamespace(unit="ids", percent=("accuracy",))
    for given, unit, percent in ((task, "ids", ("accuracy",)), (None, "samples", ())):
        shown = show(given, Terminal())
        assert type(shown) is kind and shown.percent == percent
        assert kind is Lines or shown.unit == unit
    elsewhere = show(task, stream := io.StringIO())
    assert type(elsewhere) is Lines and elsewhere.percent == ("accuracy",)
    elsewhere.message("x")
    assert stream.getvalue() == "x\n"


def test_what_nobody_reads_ends_nothing():
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError

        def flush(self):
            raise OSError

    stream = Forgiving(Full())
    assert stream.write("four") == 4 and stream.encoding == "utf-8"
    stream.flush()
    with pytest.raises(AttributeError):
        _ = stream.nothing


def test_what_is_written_within_a_write_goes_past_its_buffer(tmp_path):
    class Entered:
        def write(self, text):
            raise RuntimeError("reentrant call")

        def flush(self):
            raise RuntimeError("reentrant call")

        def fileno(self):
            return file.fileno()

    with (tmp_path / "t").open("wb") as file:
        stream = Forgiving(Entered())
        assert stream.write("stopping é\udcff") == 11
        stream.flush()
    assert (tmp_path / "t").read_bytes() == "stopping é?".encode()


def test_a_line_is_written_in_one_piece_and_flushed():
    calls = []
    stream = SimpleNamespace(write=lambda text: calls.append(text), flush=lambda: calls.append("flush"))
    Lines(stream).message("one")
    assert calls == ["one\n", "flush"]


def test_lines_are_said_beside_the_results_by_default(capsys):
    Lines().message("one")
    assert capsys.readouterr() == ("", "one\n")


def test_warnings_of_the_data_are_lines(recwarn):
    told = []
    shown = SimpleNamespace(message=told.append)
    before = warnings.showwarning
    with warnings_told(shown):
        for _ in range(2):
            warnings.warn("left out", stacklevel=1)
    assert told == ["warning: left out"] * 2 and warnings.showwarning is before and not recwarn.list


# ---- bars ----------------------------------------------------------------------------------------


def test_each_epoch_and_each_work_has_a_bar_of_its_own(bar, clock):
    clock(*range(20))
    bar.work("decoding train", 5, 10, "images")
    bar.work("decoding test", 1, 4, "images")
    (row,) = bar.progress.tasks
    assert (row.description, row.completed, row.total) == ("decoding test", 1, 4)
    assert row.fields == {"amount": "1/4 images", "detail": ""}
    bar.work("decoding test", 4, 4, "images")
    assert not bar.progress.tasks
    bar.begin(2, 3, 10, 4)
    (row,) = bar.progress.tasks
    assert (row.description, row.completed, row.total) == ("epoch 2/3", 4, 10)
    assert row.fields == {"amount": "4/10", "detail": ""}
    bar.begin(3, 3, 10, 0)
    assert [row.description for row in bar.progress.tasks] == ["epoch 3/3"]
    stopped = []
    bar.progress.stop = lambda: stopped.append(True)
    bar.close()
    assert stopped == [True]


def test_work_is_looked_at_as_often_as_it_can_be_read(bar, clock):
    clock(0.0, 0.05, 0.1, 0.15)
    seen = []
    for done in (10, 20, 30, 40):
        bar.work("decoding", done, 100, "images")
        seen.append(bar.progress.tasks[0].completed)
    assert seen == [10, 10, 30, 30]
