"""What training shows while it runs: a live bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO, cast


class Silent:
    """Shows nothing; the others override what they show."""

    def begin(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Epoch `epoch` of `epochs` starts (or goes on) with `done` of its `batches` done."""

    def update(self, batch: int, samples: int, loss: float | None) -> None:
        """`batch` batches are done, the latest of `samples`; `loss` is the epoch's mean as far as known."""

    def end(self, line: dict[str, Any]) -> None:
        """The epoch is done; `line` is its line of metrics."""

    def work(self, task: str, done: int, total: int, unit: str) -> None:
        """Before the first epoch: of `task`, a download or decoding, `done` of `total` is done."""

    def message(self, text: str) -> None:
        """Something worth a line."""

    def close(self) -> None:
        """Nothing more will be shown."""


class Forgiving:
    """A stream to show things on: that nobody reads it, or that its disk is full, ends no training.

    Nor does a signal that comes while it is written, and has something to say itself.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            try:
                self.stream.write(text)
            except RuntimeError:  # its buffer is not to be entered twice: past it
                os.write(self.stream.fileno(), text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Lines(Silent):
    """One plain line per epoch; of work before the first one every 10 s, and one at its end."""

    interval = 10.0  # seconds between two looks at the work under way

    def __init__(self, stream: TextIO | None = None, percent: Sequence[str] = ()) -> None:
        self.stream: Any = Forgiving(sys.stderr if stream is None else stream)
        self.percent = percent
        self.epochs = 0
        self.task: str | None = None  # the work under way
        self.since = self.shown = 0.0

    def begin(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        self.epochs = epochs

    def end(self, line: dict[str, Any]) -> None:
        self.message(describe(line, self.epochs, self.percent))

    def work(self, task: str, done: int, total: int, unit: str) -> None:
        now = time.perf_counter()
        if task != self.task:
            self.task, self.since, self.shown = task, now, now
        if done == total:
            self.task = None
            self.message(f"{task}: {_amount(done, total, unit)}, {now - self.since:.1f} s")
        elif now - self.shown >= self.interval:
            self.shown = now
            self.show_work(done, total, unit, now - self.since)

    def show_work(self, done: int, total: int, unit: str, seconds: float) -> None:
        """One of the looks at the work, `seconds` after it began."""
        self.message(f"{self.task}: {_amount(done, total, unit)}")

    def message(self, text: str) -> None:
        self.stream.write(f"{text}\n")  # in one piece
        self.stream.flush()


class Bar(Lines):
    """A bar for the epoch under way (batches, loss, samples/s, time left), a line for each before.

    Work before the first epoch has a bar as well, and a line when it is done.
    """

    interval = 0.1

    def __init__(self, console: Any, unit: str, percent: Sequence[str]) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        super().__init__(percent=percent)
        self.unit = unit
        self.progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=None),
            TextColumn("{task.fields[amount]}"), TextColumn("{task.fields[detail]}"),
            console=console, transient=True,
        )  # fmt: skip
        self.bar: Any = None

    def begin(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        super().begin(epoch, epochs, batches, done)
        self.first, self.since, self.left = done, time.perf_counter(), epochs - epoch
        self.samples = 0  # since then
        self.batches = batches
        self._new_bar(f"epoch {epoch}/{epochs}", done, batches, f"{done}/{batches}")

    def update(self, batch: int, samples: int, loss: float | None) -> None:
        self.samples += samples
        seconds = time.perf_counter() - self.since
        left = seconds / max(batch - self.first, 1) * (self.batches - batch + self.left * self.batches)
        detail = f"{self.samples / seconds:,.0f} {self.unit}/s  {_clock(left)} left"
        if loss is not None:
            detail = f"loss {loss:.4f}  {detail}"
        self.progress.update(self.bar, completed=batch, amount=f"{batch}/{self.batches}", detail=detail)

    def work(self, task: str, done: int, total: int, unit: str) -> None:
        if task != self.task:
            self._new_bar(task, done, total, _amount(done, total, unit))
        super().work(task, done, total, unit)
        if done == total:
            self._no_bar()

    def show_work(self, done: int, total: int, unit: str, seconds: float) -> None:
        left = f"{_clock(seconds / done * (total - done))} left"
        self.progress.update(self.bar, completed=done, amount=_amount(done, total, unit), detail=left)

    def message(self, text: str) -> None:
        # As it is: a command in it is to be copied.
        self.progress.console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        self.progress.stop()

    def _new_bar(self, description: str, done: int, total: int, amount: str) -> None:
        self._no_bar()
        self.bar = self.progress.add_task(description, total=total, completed=done, amount=amount, detail="")
        self.progress.start()

    def _no_bar(self) -> None:
        if self.bar is not None:
            self.progress.remove_task(self.bar)
        self.bar = None


def show(task: Any = None, stream: TextIO | None = None) -> Silent:
    """The bar if `stream` (stderr) is a terminal, else lines; `task` has the unit and what is in percent."""
    stream = sys.stderr if stream is None else stream
    unit, percent = ("samples", ()) if task is None else (task.unit, task.percent)
    if not stream.isatty():
        return Lines(stream, percent)
    from rich.console import Console

    console = Console(file=cast(TextIO, Forgiving(stream)))  # follows NO_COLOR and TERM=dumb
    if console.is_terminal and not console.is_dumb_terminal:
        return Bar(console, unit, percent)
    return Lines(stream, percent)


@contextlib.contextmanager
def warnings_told(progress: Silent) -> Iterator[None]:
    """Warnings of the data, such as images left out, as plain lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *rest: progress.message(f"warning: {message}")
        yield


def describe(line: Mapping[str, Any], epochs: int, percent: Sequence[str] = ()) -> str:
    """A line of metrics in words: the figures of the training part by name, then those of the validation."""
    text = f"epoch {line['epoch']:>{len(str(epochs))}}/{epochs}"
    names = [name.removeprefix("train_") for name in line if name.startswith("train_")]
    text += "".join(f"  {name} {figure(name, line[f'train_{name}'], percent)}" for name in names)
    validated = [figure(name, line[f"validation_{name}"], percent)
                 for name in names if f"validation_{name}" in line]  # fmt: skip
    return f"{text}{'  val ' * bool(validated)}{' '.join(validated)}  {line['seconds']:.1f} s"


def figure(name: str, value: float, percent: Sequence[str] = ()) -> str:
    """A figure as people read it: a share in percent, or the number."""
    return f"{100 * value:.2f} %" if name in percent else f"{value:.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _amount(done: int, total: int, unit: str) -> str:
    """5/10 images; bytes in kB, MB or GB."""
    for scale, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if unit == "bytes" and total >= scale:
            return f"{done / scale:.1f}/{total / scale:.1f} {name}"
    return f"{done:,}/{total:,} {unit}"
