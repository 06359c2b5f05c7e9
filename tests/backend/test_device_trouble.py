"""What goes wrong on a device is one sentence that says what to do; and several GPUs in one machine."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd.place import rule_of
from tinygrad_notes.backend import wheels
from tinygrad_notes.cli import main
from tinygrad_notes.train import loop

GIB = 2**30
OUT_OF_MEMORY = f"Out of memory allocating {3 * GIB:,} bytes (allocated so far: {70 * GIB:,} bytes)."


@pytest.fixture
def card(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One GPU whose figures are known; what is set on it is what CUDA says."""
    cupy = __import__("cupy")
    runtime = cupy.cuda.runtime
    properties = {"name": b"Test Card", "major": 8, "minor": 6}
    said = SimpleNamespace(driver=12040, cupy=cupy, properties=properties)
    pool = SimpleNamespace(total_bytes=lambda: 71 * GIB, used_bytes=lambda: 70 * GIB)
    for name, answer in {
        "getDeviceProperties": lambda index: said.properties,
        "memGetInfo": lambda: (GIB // 2, 80 * GIB),
        "driverGetVersion": lambda: said.driver,
    }.items():
        monkeypatch.setattr(runtime, name, answer, raising=False)
    monkeypatch.setattr(cupy, "get_default_memory_pool", lambda: pool)
    monkeypatch.setattr(wheels, "installed", lambda: {"cupy-cuda12x": "14.2.0"})
    return said


def told(text: str) -> str:
    trouble = backend.explain(RuntimeError(text))
    assert trouble is not None and not trouble.of_memory
    return trouble.text


# ---- memory ----------------------------------------------------------------------------------------


def test_out_of_memory_names_what_was_asked_held_and_free(card):
    trouble = backend.explain(MemoryError(OUT_OF_MEMORY))
    assert trouble == (
        "out of memory on GPU 0 (Test Card): 3.00 GiB more were asked for, CuPy's pool holds 71.00 GiB, "
        "70.00 GiB of them in use, 0.50 GiB of the card's 80.00 GiB are free",
        True,
    )
    limited = MemoryError(OUT_OF_MEMORY.replace(").", f", limit set to: {72 * GIB:,} bytes)."))
    assert "its limit is 72.00 GiB" in backend.explain(limited).text
    for name in ("cudaErrorMemoryAllocation: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"):
        assert backend.explain(RuntimeError(name)).text.startswith(
            "out of memory on GPU 0 (Test Card): CuPy's"
        )
    assert backend.explain(MemoryError()) is None  # of the host


def test_a_device_that_does_not_answer_is_told_all_the_same(card, monkeypatch):
    def fail():
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    monkeypatch.setattr(card.cupy.cuda.runtime, "memGetInfo", fail)
    text = backend.explain(MemoryError(OUT_OF_MEMORY)).text
    assert text.startswith("out of memory") and "3.00 GiB more were asked for" in text and "free" not in text


class _Full(tg.Function):
    """An operation that finds no memory in one of its rules."""

    def forward(xp, x, *, where):
        if where == "forward":
            raise MemoryError(OUT_OF_MEMORY)
        return x + 0

    def backward(xp, gy, *, where):
        raise MemoryError(OUT_OF_MEMORY)


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_the_rule_is_noted(card, where):
    x = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(MemoryError) as raised:
        _Full.apply(x, where=where).sum().backward()
    notes = raised.value.__notes__
    assert rule_of(raised.value) == f"{where} of _Full" and notes[0].startswith(f"in the {where} of _Full")
    assert notes[1].startswith("out of memory on GPU 0 (Test Card)")


@pytest.mark.parametrize("batch", [["--batch-size", "7"], []])
def test_a_training_says_which_batch_to_try(card, batch, monkeypatch, tmp_path, capsys):
    def fail(*arguments):
        raise MemoryError(OUT_OF_MEMORY)

    monkeypatch.setattr(tg.ops.activation.ReLU, "forward", fail)
    words = ["train", "mlp", "--limit", "8", "--epochs", "1", "--out", str(tmp_path / "run"), *batch]
    assert main(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("tinygrad-notes: out of memory on GPU 0 (Test Card): 3.00 GiB more were asked for")
    size = 3 if batch else 64
    assert said.endswith(f"are free, in the forward of ReLU: try --batch-size {size}")


@pytest.mark.parametrize(("batch", "anew"), [(7, ", or begin a new run with --batch-size 3"), (1, "")])
@pytest.mark.parametrize("where", ["a step", "the checkpoint"])
def test_one_that_goes_on_cannot_have_other_batches(card, batch, anew, where, monkeypatch, tmp_path, capsys):
    def fail(*arguments):
        raise MemoryError(OUT_OF_MEMORY)

    words = ["train", "mlp", "--limit", "8", "--epochs", "1", "--batch-size", str(batch), "--validation", "0"]
    with backend.use_backend("numpy"):
        assert main([*words, "--out", str(tmp_path / "run")]) == 0
    if where == "a step":
        monkeypatch.setattr(loop.Trainer, "_step", fail)
    else:
        monkeypatch.setattr(tg.checkpoint, "load", fail)
        anew = ""  # nobody has said yet how large they are
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "2"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    advice = f"are free, free some memory{anew}; a run that goes on keeps the size of its batches"
    assert said.startswith("tinygrad-notes: out of memory on GPU 0 (Test Card): ") and said.endswith(advice)


def test_on_numpy_an_error_is_what_it_is(monkeypatch, capsys):
    with backend.use_backend("numpy"):
        assert backend.explain(MemoryError(OUT_OF_MEMORY)) is None


# ---- drivers, wheels, cards ------------------------------------------------------------------------


def test_a_driver_that_is_too_old_is_told_with_both_numbers(card, monkeypatch):
    text = "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
    card.driver = 11040
    said = told(text)
    assert said == (
        "the driver serves CUDA up to 11.4, and cupy-cuda12x needs 12: update the driver to 525.60.13 or "
        "newer; or pip uninstall cupy-cuda12x, then pip install 'tinygrad-notes[gpu]'"
    )
    card.driver = 10020
    assert told(text).endswith("update the driver to 525.60.13 or newer")
    card.driver = 0
    assert told(text).startswith("no NVIDIA driver is installed")
    card.driver = 12040
    monkeypatch.setattr(wheels, "installed", lambda: {"cupy-cuda11x": "13.6.0", "cupy-cuda13x": "14.0.0"})
    assert told(text) == (
        "cupy-cuda11x and cupy-cuda13x overwrite each other's files: pip uninstall cupy-cuda11x "
        "cupy-cuda13x, then pip install 'tinygrad-notes[cuda12]'"
    )


def test_set_backend_says_it_too(card, monkeypatch):
    def fail():
        raise card.cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver: too old")

    card.driver = 11080
    monkeypatch.setattr(card.cupy.cuda.runtime, "getDeviceCount", fail)
    with pytest.raises(backend.BackendError, match=r"the driver serves CUDA up to 11.8.*use BACKEND=numpy"):
        tg.set_backend("cupy")


def test_a_cupy_that_does_not_load_says_why(monkeypatch):
    frame = "=" * 64
    cause = "Original error:\n  ImportError: libcublas.so.12: x"
    text = f"\n{frame}\nFailed to import CuPy. Try again.\n\n{cause}\n{frame}\n"
    monkeypatch.setattr(wheels, "installed", lambda: {"cupy-cuda12x": "14.2.0"})
    said = "CuPy does not load (ImportError: libcublas.so.12: x); see what tinygrad-notes doctor says"
    assert wheels.not_loaded(ImportError(text)) == said
    monkeypatch.setattr(wheels, "installed", lambda: {"cupy": "14.2.0", "cupy-cuda12x": "14.2.0"})
    assert wheels.not_loaded(ImportError(text)).startswith(
        "cupy and cupy-cuda12x overwrite each other's files"
    )
    missing = ModuleNotFoundError("No module named 'cupy'", name="cupy")
    assert wheels.not_loaded(missing).endswith("e.g. pip install 'tinygrad-notes[cuda12]'")


def test_no_kernel_for_this_card(card):
    error = "cudaErrorNoKernelImageForDevice: no kernel image is available for execution on the device"
    card.properties = {"name": b"Old Card", "major": 3, "minor": 7}
    assert told(error) == (
        "CuPy's wheel has no kernels for Old Card (3.7): the card's compute capability 3.7 is too old for "
        "CUDA 12, which begins with 5.0: pip uninstall cupy-cuda12x, then pip install 'tinygrad-notes[gpu]'"
    )
    card.properties = {"name": b"Test Card", "major": 8, "minor": 6}
    assert told(error).endswith("for Test Card (8.6): tinygrad-notes doctor says which wheel and driver fit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cudaErrorNoDevice: no CUDA-capable device is detected", "the driver sees no card"),
        ("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy", "is busy or was taken away"),
        ("cudaErrorIllegalAddress: an illegal memory access", r"\(cudaErrorIllegalAddress\).*--resume"),
        ("CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure", r"\(CUDA_ERROR_LAUNCH_FAILED\)"),
        ("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
         r"captured waited for the device \(cudaErrorStreamCaptureUnsupported\): keep \.item\(\)"),
        ("CuPy failed to load libnvrtc.so.12: OSError", r"libnvrtc is missing: .*'cupy-cuda12x\[ctk\]'"),
        ('Failure finding "libcublas.so.12": No such file', r"libcublas is missing: pip install"),
        ('x.cu(3): fatal error: cannot open source file "cuda_fp16.h"', "headers of CUDA are missing"),
        ("Array device must be same as the current device: array device = 1 while current = 0",
         "the array is on GPU 1, computed is on GPU 0"),
    ],
)  # fmt: skip
def test_an_error_of_cuda_is_a_sentence_with_what_helps(card, text, expected):
    assert re.search(expected, told(text))


def test_an_error_of_a_program_is_left_alone(card):
    for text in ("shapes (2, 3) and (4,) do not fit", "list index out of range", ""):
        assert backend.explain(ValueError(text)) is None


def test_the_command_ends_with_one_sentence(card, monkeypatch, capsys):
    def fail(*arguments):
        raise RuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")

    monkeypatch.setattr("tinygrad_notes.cli.inspection.summary", fail)
    assert main(["summary", "lenet5"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tinygrad-notes: the GPU is busy or was taken away") and said.count("\n") == 1


# ---- several GPUs ----------------------------------------------------------------------------------


@pytest.fixture
def two(card: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two GPUs; the arrays that are made lie on the one that computes."""
    chosen = SimpleNamespace(index=0, on={})

    class Device:
        def __init__(self, index=None):
            self.id = chosen.index if index is None else index

        def use(self):
            chosen.index = self.id

    monkeypatch.setattr(card.cupy.cuda, "Device", Device)
    monkeypatch.setattr(card.cupy.cuda.runtime, "getDeviceCount", lambda: 2)
    monkeypatch.setattr(
        card.cupy.cuda.runtime, "getDeviceProperties", lambda i: {"name": f"Card {'AB'[i]}".encode()}
    )
    monkeypatch.setattr(backend.xp.devices, "of", lambda array: chosen.on.get(id(array)))
    yield chosen
    backend.several.clear()


def test_a_gpu_is_chosen_by_its_number(two):
    tg.set_device(0)
    assert (two.index, backend.several) == (0, [])
    tg.set_device(np.int64(1))
    assert (two.index, backend.several) == (1, [0, 1])
    tg.set_device(0)
    assert (two.index, backend.several) == (0, [0, 1])


@pytest.mark.parametrize("index", [2, -1, "0", 0.0, None, True])
def test_a_gpu_that_is_not_there_is_told(two, index):
    said = re.escape(f"set_device: there is no GPU {index!r}; choose one of 0 (Card A), 1 (Card B)")
    with pytest.raises(ValueError, match=said):
        tg.set_device(index)
    assert two.index == 0


def test_numpy_has_no_gpus():
    with backend.use_backend("numpy"), pytest.raises(backend.BackendError, match=r"numpy has no GPUs; call"):
        tg.set_device(0)


def test_arrays_of_two_gpus_in_one_operation_are_refused(two):
    x, y = tg.Tensor([1.0]), tg.Tensor([2.0])
    two.on = {id(x.data): 0, id(y.data): 1}
    assert (x + 1.0).numpy().tolist() == [2.0]
    tg.set_device(1)
    assert (y + 1.0).numpy().tolist() == [3.0]
    said = re.escape(
        "Add: argument 'a' is on GPU 0 (Card A), and what computes is GPU 1 (Card B); call set_device(0), "
    )
    with pytest.raises(backend.BackendError, match=said):
        x + y
    tg.set_device(0)
    with pytest.raises(backend.BackendError, match=r"'b' is on GPU 1 \(Card B\).*is GPU 0 \(Card A\)"):
        x + y
