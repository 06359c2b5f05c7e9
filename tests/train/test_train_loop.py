"""The loop: it learns, it goes on bit for bit, it stops where it must."""

import io
import itertools
import json
import math
import os
import re
import signal
from dataclasses import replace

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, checkpoint, nn, optim
from tinygrad_notes.data import ArrayDataset, Compose, DataLoader, Normalize, RandomShift
from tinygrad_notes.tasks.images import TASK as IMAGES
from tinygrad_notes.tasks.images.settings import ImageSettings as Settings
from tinygrad_notes.train import interrupt, loop
from tinygrad_notes.train import run as run_module
from tinygrad_notes.train.config import read_config
from tinygrad_notes.train.interrupt import Interrupted, stop_on_signal
from tinygrad_notes.train.loop import READ_EVERY, Diverged, Trainer, evaluate
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.progress import Bar, Lines, Silent, describe, show
from tinygrad_notes.train.run import Run

EPOCHS, BATCHES = 3, 5


def halves(count=40, size=8):
    """The left or the upper half is bright; noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=count)
    bright = np.where(np.arange(size) < size // 2, 200, 0)
    images = np.where(labels[:, None, None, None] == 0, bright, bright[:, None])
    return ArrayDataset(
        np.clip(images + rng.integers(0, 56, (count, 1, size, size)), 0, 255).astype(np.uint8), labels
    )


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2, amsgrad=True),
}


def make_trainer(optimizer="adam", **options):
    """Everything that a resume must restore: dropout, augmentation, shuffling, momenta, a schedule."""
    tg.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
    chosen = OPTIMIZERS[optimizer](model.parameters())
    data = halves()
    transform = Compose([RandomShift(1), Normalize([0.5], [0.5])])
    return Trainer(
        IMAGES, model, chosen,
        DataLoader(data, 8, shuffle=True, transform=transform),
        DataLoader(data, 16, transform=transform.deterministic()),
        schedule=optim.lr_scheduler.CosineAnnealingLR(chosen, EPOCHS * BATCHES), max_norm=1.0, **options,
    )  # fmt: skip


def bits(trainer):
    """All of the state as comparable text, without the seconds."""
    state = trainer.state_dict()
    state["resume"]["sums"].pop("seconds")
    state["resume"]["history"] = [
        {k: v for k, v in line.items() if k != "seconds"} for line in trainer.history
    ]

    def text(value):
        if isinstance(value, dict):
            return {str(k): text(v) for k, v in value.items()}
        if isinstance(value, np.ndarray):
            return [str(value.dtype), value.shape, value.tobytes().hex()]
        return value

    return json.dumps(text(state))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop_at", [1, 3, BATCHES, BATCHES + 2, BATCHES + 5, 2 * BATCHES + 5])
def test_resumed_training_equals_the_uninterrupted_one(tmp_path, optimizer, stop_at):
    whole = make_trainer(optimizer)
    whole.fit(EPOCHS)

    first = make_trainer(optimizer)
    steps = iter(range(1, 100))
    with pytest.raises(Interrupted, match=r"epoch \d, batch \d"):
        first.fit(
            EPOCHS,
            should_stop=lambda: next(steps) == stop_at,
            save=lambda trainer: checkpoint.save(trainer.state_dict(), tmp_path / "s"),
        )
    tg.manual_seed(99)  # nothing may depend on what happened in between
    second = make_trainer(optimizer)
    backend.rng().random(7)
    second.load_state_dict(checkpoint.load(tmp_path / "s"))
    second.fit(EPOCHS)
    assert bits(second) == bits(whole)


def test_validation_stops_when_asked_and_is_done_anew():
    """Training asks after each batch, validation before each of its three."""
    whole = make_trainer()
    whole.fit(EPOCHS)
    trainer, saved = make_trainer(), []
    for stops_at in (BATCHES + 2, 3, 1):  # in the middle, at the last batch, before the first
        steps = iter(range(1, 100))
        with pytest.raises(Interrupted, match=f"epoch 1, batch {BATCHES}"):
            trainer.fit(
                EPOCHS,
                should_stop=lambda steps=steps, at=stops_at: next(steps) == at,
                save=lambda t: saved.append(t.state_dict()),
            )
        assert trainer.history == []
        trainer = make_trainer()
        trainer.load_state_dict(saved[-1])
    trainer.fit(EPOCHS)
    assert bits(trainer) == bits(whole)


class Stop(Silent):
    """Ctrl-C after a batch."""

    def __init__(self, at):
        self.at = at

    def update(self, batch, samples, loss):
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stop_at", [1, 3, BATCHES, BATCHES + 2, 2 * BATCHES])
def test_training_goes_on_after_ctrl_c_as_if_nothing_had_been(stop_at):
    whole = make_trainer()
    whole.fit(EPOCHS)
    trainer = make_trainer()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(EPOCHS, progress=Stop(stop_at))
    trainer.fit(EPOCHS)
    assert bits(trainer) == bits(whole)


@pytest.mark.parametrize(
    ("name", "call", "result", "done"),
    [
        ("forward", BATCHES + 3 + 2, None, BATCHES + 1),  # the second batch, after a validation of three
        ("forward", BATCHES + 2, None, BATCHES),  # in the validation
        ("_fetch", 1, None, BATCHES),  # while the losses are read
        ("_fetch", 2, [[math.nan, 0]] * 3, BATCHES),  # the validation loss
    ],
)
def test_whatever_ended_it_a_training_goes_on_with_the_steps_left(monkeypatch, name, call, result, done):
    def failing(*arguments):
        if next(calls) != call:
            return function(*arguments)
        if result is None:
            raise MemoryError
        return result

    trainer = make_trainer()
    trainer._repeated.forms = None  # its steps are counted in Python
    steps, calls, step = [], itertools.count(1), trainer.optimizer.step
    owner = trainer.model if name == "forward" else loop
    function = getattr(owner, name)
    monkeypatch.setattr(owner, name, failing)
    monkeypatch.setattr(trainer.optimizer, "step", lambda: (steps.append(1), step()))
    with pytest.raises((MemoryError, Diverged)):
        trainer.fit(EPOCHS)
    assert len(steps) == done
    history = trainer.fit(EPOCHS)
    assert len(steps) == EPOCHS * BATCHES
    assert history[-1]["lr"] == pytest.approx(0, abs=1e-9)


def test_resume_between_epochs(tmp_path):
    whole = make_trainer()
    whole.fit(EPOCHS)
    first = make_trainer()
    first.fit(1)
    checkpoint.save(first.state_dict(), tmp_path / "s")
    second = make_trainer()
    second.load_state_dict(checkpoint.load(tmp_path / "s"))
    second.fit(EPOCHS)
    assert bits(second) == bits(whole)


def test_it_learns_and_keeps_a_history():
    trainer = make_trainer()
    history = trainer.fit(EPOCHS)
    assert [line["epoch"] for line in history] == [1, 2, 3]
    assert history[-1]["validation_accuracy"] >= 0.95
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["lr"] == pytest.approx(0, abs=1e-9)


def test_metrics_of_an_epoch_are_those_of_its_batches():
    """With lr 0 and no chance, the running sums must equal an evaluation at the end."""
    data = halves(37)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    trainer = Trainer(IMAGES, model, optim.SGD(model.parameters(), lr=0.0), DataLoader(data, 8, shuffle=True),
                      DataLoader(data, 37))  # fmt: skip
    (line,) = trainer.fit(1)
    assert line["train_loss"] == pytest.approx(line["validation_loss"], rel=1e-6)
    assert line["train_accuracy"] == line["validation_accuracy"]


def test_progress_hears_of_every_batch_and_its_samples():
    """The loss is the last that was read: showing it waits for nothing."""
    told = []

    class Listener(Silent):
        def update(self, batch, samples, loss):
            told.append((batch, samples, loss is None))

    data = halves(4 * READ_EVERY + 6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    trainer = Trainer(IMAGES, model, optim.SGD(model.parameters(), lr=0.0), DataLoader(data, 4))
    trainer.fit(1, progress=Listener())
    sizes = [4] * (READ_EVERY + 1) + [2]
    assert told == [(i, n, i < READ_EVERY) for i, n in enumerate(sizes, 1)]


def test_evaluate_restores_the_mode_and_records_nothing():
    data = halves(10)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 2))
    loader = DataLoader(data, 4)
    figures, each = evaluate(IMAGES, model, loader, each=True)
    assert model.training
    again = evaluate(IMAGES, model, loader, each=True)
    assert figures == again.figures and each["predicted"].tolist() == again.each["predicted"].tolist()
    assert each["labels"].tolist() == data.labels.tolist()
    assert figures["accuracy"] == (each["predicted"] == data.labels).mean()
    assert evaluate(IMAGES, model, loader).each == {}
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("bad_batch", [1, 4, READ_EVERY, READ_EVERY + 2])
def test_nan_stops_with_the_place_and_saves_nothing(bad_batch):
    images = np.random.default_rng(0).normal(size=(80, 1, 4, 4)).astype(np.float32)
    images[(bad_batch - 1) * 4] = np.inf
    data = ArrayDataset(images, np.arange(80) % 2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    trainer = Trainer(IMAGES, model, optim.SGD(model.parameters(), lr=0.25), DataLoader(data, 4))
    saved = []
    with pytest.raises(Diverged, match=rf"epoch 1, batch {bad_batch}: the loss is nan at lr 0.25.*--lr.*"
                       "--detect-anomaly"):  # fmt: skip
        trainer.fit(1, save=saved.append)
    assert not saved


def test_a_step_that_breaks_the_weights_is_not_saved():
    """The loss of the last batch was still finite; the weights after it are not."""
    data = ArrayDataset(np.full((2, 1, 2, 2), 1e6, np.float32), [0, 0])
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    model[1].weight.data = np.zeros((2, 4))
    trainer = Trainer(IMAGES, model, optim.SGD(model.parameters(), lr=1e38), DataLoader(data, 2))
    with pytest.raises(Diverged, match=r"1\.weight is not finite"):
        trainer.fit(1, save=lambda t: t.state_dict())


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, also where a shell started the tests in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored():
    for number in interrupt.SIGNALS:
        before = signal.signal(number, signal.SIG_IGN)
        try:
            with stop_on_signal() as should_stop:
                signal.raise_signal(number)
                assert not should_stop()
            assert signal.getsignal(number) == signal.SIG_IGN
        finally:
            signal.signal(number, before)


def test_signals_are_noted_and_the_second_insists(ctrl_c):
    told = []
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signal(told.append) as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert should_stop()
        assert len(told) == 1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# ---- the run folder ----------------------------------------------------------------------------

TINY = {"epochs": 2, "batch_size": 16, "limit": 64, "lr": 1e-3, "shift": 1, "seed": 5}


def history_of(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_run_folder_and_resume(tmp_path):
    whole = Run.start(IMAGES, Settings("lenet5", **TINY), tmp_path / "whole")
    whole.fit()
    assert sorted(f.name for f in (tmp_path / "whole").iterdir()) == [
        "best.safetensors", "checkpoint.safetensors", "config.json", "metrics.jsonl"]  # fmt: skip
    assert read_config(IMAGES, tmp_path / "whole") == whole.config

    steps = iter(range(100))
    with pytest.raises(Interrupted):
        Run.start(IMAGES, Settings("lenet5", **TINY), tmp_path / "cut").fit(
            should_stop=lambda: next(steps) == 5
        )
    resumed = Run.resume(IMAGES, tmp_path / "cut")
    resumed.fit()
    assert bits(resumed.trainer) == bits(whole.trainer)
    assert history_of(tmp_path / "cut") == history_of(tmp_path / "whole")


def test_last_batch_of_one_image_is_dropped(tmp_path):
    """On maps of 1×1 batch normalization would have no variance over it."""
    tiny = {"epochs": 2, "size": 4, "shift": 0, "seed": 1, "validation": None}
    run = Run.start(IMAGES, Settings("resnet20", batch_size=8, limit=17, **tiny), tmp_path / "r")
    assert len(run.trainer.train) == 2
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        run.fit(should_stop=lambda: next(steps) == 1)
    assert len(Run.resume(IMAGES, tmp_path / "r").fit()) == 2
    for limit, size, batches in ((18, 8, 3), (16, 8, 2), (2, 1, 2), (1, 8, 1)):
        run = Run.start(
            IMAGES, Settings("mlp", batch_size=size, limit=limit, validation=0), tmp_path / f"{limit}"
        )
        assert len(run.trainer.train) == batches


def test_resume_mends_metrics_that_a_kill_left_torn(tmp_path):
    run = Run.start(IMAGES, Settings("mlp", **{**TINY, "limit": 16}), tmp_path / "r")
    run.fit()
    expected = history_of(tmp_path / "r")
    with (tmp_path / "r" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train_l')
    (tmp_path / "r" / ".checkpoint.safetensors.abc.part").write_text("half")
    Run.resume(IMAGES, tmp_path / "r", epochs=3).fit()
    assert history_of(tmp_path / "r")[:2] == expected
    assert [line["epoch"] for line in history_of(tmp_path / "r")] == [1, 2, 3]
    assert not list((tmp_path / "r").glob(".*"))


def test_one_training_at_a_time_writes_to_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    steps = iter(range(100))
    run = Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "r")
    (tmp_path / "r" / ".checkpoint.safetensors.abc.part").write_text("the other is writing this")
    busy = "r: another training is writing there"
    with pytest.raises(RunError, match=busy):
        Run.resume(IMAGES, tmp_path / "r")
    with pytest.raises(RunError, match=busy):
        Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "r")
    assert list((tmp_path / "r").glob(".*.part"))
    with pytest.raises(Interrupted):
        run.fit(should_stop=lambda: next(steps) == 1)
    assert len(Run.resume(IMAGES, tmp_path / "r").fit()) == 2
    again = Run.resume(IMAGES, tmp_path / "r", 3)
    with pytest.raises(RunError, match=busy):
        run.fit()
    again.fit()


def test_the_folder_is_there_and_taken_while_images_are_decoded(tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    load = IMAGES.load

    def load_beside_another(settings, **how):
        with monkeypatch.context() as patch:
            patch.setattr(IMAGES, "load", load)
            with pytest.raises(RunError, match="another training is writing there"):
                Run.start(IMAGES, settings, tmp_path / "runs" / "mlp-then")
            folders.append(Run.start(IMAGES, settings).folder)
        return load(settings, **how)

    folders = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module.time, "strftime", lambda text: "then")
    monkeypatch.setattr(IMAGES, "load", load_beside_another)
    folders.append(Run.start(IMAGES, Settings("mlp", **TINY)).folder)
    assert [f.name for f in folders] == ["mlp-then-2", "mlp-then"]
    monkeypatch.setattr(IMAGES, "load", lambda settings, **how: 1 / 0)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):  # before anything is decoded
        Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "file" / "r")


@pytest.mark.parametrize("there", [False, True])
def test_a_run_that_cannot_start_leaves_nothing(tmp_path, monkeypatch, there):
    folder = tmp_path / "a" / "b"
    if there:
        folder.mkdir(parents=True)
    monkeypatch.setattr(checkpoint, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Run.start(IMAGES, Settings("mlp", **TINY), folder)
    assert sorted(tmp_path.rglob("*")) == ([tmp_path / "a", folder] if there else [])


def test_a_disk_that_is_full_at_the_metrics_is_told_with_the_file(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    run = Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "r")
    (tmp_path / "r" / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*metrics\.jsonl'"):
        run.fit()


def test_checkpoint_of_another_network_is_refused(tmp_path):
    Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "r")
    text = (tmp_path / "r" / "config.json").read_text()
    (tmp_path / "r" / "config.json").write_text(text.replace('"mlp"', '"lenet5"'))
    with pytest.raises(RunError, match=r"the checkpoint does not fit config\.json"):
        Run.resume(IMAGES, tmp_path / "r")


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd"},
        {"batch_size": 8},
        {"limit": 32},
        {"shift": 0},
        {"schedule": "step"},
        {"lr": 0.5},
        {"weight_decay": 0.1},
        {"data": "mnist"},
    ],
)
def test_a_configuration_changed_by_hand_is_noticed(tmp_path, monkeypatch, change):
    Run.start(IMAGES, Settings("mlp", **TINY), tmp_path / "r").fit()
    path = tmp_path / "r" / "config.json"
    config = json.loads(path.read_text())
    ((name, value),) = change.items()
    before = config["options"][name]
    path.write_text(json.dumps(config | {"options": config["options"] | change}))
    load = IMAGES.load
    monkeypatch.setattr(IMAGES, "load", lambda s, *rest, **how: load(replace(s, data="digits"), *rest, **how))
    reason = f"{name} is {value!r} there, and the training began with {before!r}; put that back"
    with pytest.raises(RunError, match=re.escape(reason)):
        Run.resume(IMAGES, tmp_path / "r", 3)
    path.write_text(json.dumps(config | {"options": config["options"] | {"epochs": 4}}))
    Run.resume(IMAGES, tmp_path / "r")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "vgg"}, "unknown model 'vgg'; choose from mlp, simplecnn, lenet5"),
        ({"lr": math.nan}, "lr must be a number above 0, got nan"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"batch_size": 1.5}, "batch_size must be a whole number"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"size": 0}, "size must be a whole number of at least 1"),
        ({"lighting": -1.0}, "lighting must be a number of at least 0, got -1.0"),
        ({"variant": "B"}, "unknown variant 'B' of mlp; choose from notes"),
        ({"on_error": "ignore"}, "on_error must be one of raise, skip, got 'ignore'"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw, got 'lion'"),
        ({"model": ["mlp"]}, r"model must be a word, got \['mlp'\]"),
        ({"data": 5}, "data must be a word, got 5"),
        ({"limit": True}, "limit must be a whole number of at least 1 or none, got True"),
        ({"flip": "no"}, "flip must be true or false, got 'no'"),
        ({"lr": "0.1"}, "lr must be a number above 0, got '0.1'"),
        ({"momentum": None}, "momentum must be a number of at least 0, got None"),
        ({"weight_decay": 10**400}, "weight_decay must be a number of at least 0, got 1000"),
        ({"validation": 1.0}, "validation must be a number of at least 0 and below 1 or a word or none"),
        ({"patience": 0}, "patience must be a whole number of at least 1 or none, got 0"),
    ],
)
def test_configurations_are_checked(change, reason):
    with pytest.raises(RunError, match=reason):
        Settings(**{"model": "mlp", **change})


# ---- progress ----------------------------------------------------------------------------------

PERCENT = ("accuracy",)
LINE = {"epoch": 7, "train_loss": 12.345678, "train_accuracy": 1.0, "validation_loss": 0.1,
        "validation_accuracy": 0.98765, "lr": 0.1, "seconds": 123.456}  # fmt: skip


def test_lines_elsewhere_than_on_a_terminal():
    stream = io.StringIO()
    progress = show(IMAGES, stream)
    assert type(progress) is Lines
    progress.begin(7, 20, 100, 0)
    for batch in range(1, 100):
        progress.update(batch, 8, 0.5)
    progress.end(LINE)
    progress.close()
    assert stream.getvalue() == describe(LINE, 20, PERCENT) + "\n"
    assert stream.getvalue().isprintable() or stream.getvalue()[:-1].isprintable()


def test_a_line_fits_80_columns():
    assert len(describe(LINE, 1000, PERCENT)) <= 80


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("no_color", [False, True])
def test_bar_on_a_terminal(monkeypatch, no_color):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    progress = show(IMAGES, stream)
    assert isinstance(progress, Bar)
    progress.begin(7, 20, 100, 0)
    progress.update(50, 8, 0.5)
    progress.progress.refresh()
    progress.end(LINE)
    progress.begin(8, 20, 100, 0)
    progress.close()
    text = stream.getvalue()
    assert "epoch 7/20" in text
    assert "50/100" in text
    assert "images/s" in text
    assert describe(LINE, 20, PERCENT) in text
    assert ("\x1b[3" not in text and "\x1b[1;3" not in text) == no_color


def test_a_message_on_a_terminal_can_be_copied(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    text = f"go on with: train --resume '/{'long folder ' * 9}:smile:[b]'"
    progress = show(IMAGES, Terminal())
    progress.message(text)
    assert progress.progress.console.file.getvalue() == text + "\n"


def test_bar_counts_the_samples_since_it_began(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    now = iter([10.0, 11.0, 12.0])
    bar = show(IMAGES, Terminal())
    monkeypatch.setattr("tinygrad_notes.train.progress.time.perf_counter", lambda: next(now))
    bar.progress.start = lambda: None  # its own thread would ask for the time as well
    bar.begin(1, 1, 7, 5)
    bar.update(6, 32, None)
    assert bar.progress.tasks[0].fields["detail"] == "32 images/s  0:01 left"
    bar.update(7, 2, 0.5)
    assert bar.progress.tasks[0].fields["detail"] == "loss 0.5000  17 images/s  0:00 left"


def clock(monkeypatch, seconds):
    """Each look at the clock is `seconds` after the one before."""
    times = itertools.count(0.0, seconds)
    monkeypatch.setattr("tinygrad_notes.train.progress.time.perf_counter", lambda: next(times))


def test_work_gets_a_line_every_ten_seconds(monkeypatch):
    progress = Lines(io.StringIO())
    clock(monkeypatch, 0.25)
    for done in range(1, 101):  # 24.75 s
        progress.work("decoding train", done, 100, "images")
    for done in (4542, 9_912_422):
        progress.work("downloading x.gz (1 of 4)", done, 9_912_422, "bytes")
    for _ in range(2):  # once more the same work begins at 0 s
        for done in (1, 2):
            progress.work("decoding test", done, 2, "images")
    assert progress.stream.getvalue().splitlines() == [
        "decoding train: 41/100 images", "decoding train: 81/100 images",
        "decoding train: 100/100 images, 24.8 s", "downloading x.gz (1 of 4): 9.9/9.9 MB, 0.2 s",
        "decoding test: 2/2 images, 0.2 s", "decoding test: 2/2 images, 0.2 s",
    ]  # fmt: skip


def test_work_has_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    bar = show(IMAGES, stream)
    clock(monkeypatch, 0.25)
    monkeypatch.setattr(bar.progress, "start", lambda: None)  # its own thread would ask for the time as well
    task = "downloading train-images-idx3-ubyte.gz (1 of 4)"
    for size in (65_536, 2_478_106):
        bar.work(task, size, 9_912_422, "bytes")
    (row,) = bar.progress.tasks
    assert (row.description, row.completed, row.total) == (task, 2_478_106, 9_912_422)
    assert row.fields == {"amount": "2.5/9.9 MB", "detail": "0:01 left"}
    bar.progress.console.print(bar.progress.get_renderable())
    assert f"{task} " in stream.getvalue()
    assert "2.5/9.9 MB 0:01 left" in stream.getvalue()
    bar.work(task, 9_912_422, 9_912_422, "bytes")
    assert not bar.progress.tasks
    assert f"{task}: 9.9/9.9 MB, 0.5 s" in stream.getvalue()


def test_silent_takes_everything():
    progress = Silent()
    progress.work("decoding train", 1, 1, "images")
    progress.begin(1, 1, 1, 0)
    progress.update(1, 1, None)
    progress.end(LINE)
    progress.message("x")
    progress.close()
