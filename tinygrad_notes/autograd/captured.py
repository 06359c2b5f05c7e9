"""A step that a device does again without Python: `tg.capture`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..backend import precision
from ..backend.capture import Capture, CaptureError, running
from . import guard, mode
from .tensor import Tensor

WARM_UP = 2  # calls that run as they are: state is made, kernels are compiled
KEEP = "K"  # copies lie in memory as what they are made of, so that a product is the same kernel


class Form(NamedTuple):
    """What is the same of a Tensor or an array in each call."""

    kind: str
    shape: tuple[int, ...]
    dtype: Any


class Captured:
    """`step`, repeated by the device; see `capture`."""

    def __init__(self, step: Callable[..., Any]) -> None:
        if not callable(step):
            raise TypeError(f"capture: a step is a function that is called, got {step!r}")
        functools.update_wrapper(self, step)
        self._step = step
        self._form: Any = None
        self._calls = 0
        self._recording: _Recording | None = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not backend.xp.captures or running:
            return self._step(*args, **options)
        form, arrays = _taken_apart((args, options))
        if self._recording is not None:
            self._recording.check(form)
            return self._recording.repeat(arrays)
        if self._form is None or _difference(form, self._form):
            self._form, self._calls = form, 0
        if self._calls < WARM_UP:
            self._calls += 1
            return self._step(*args, **options)
        self._recording = _Recording(self._step, form, args, options)
        return self._recording.launch()

    @property
    def recorded(self) -> bool:
        """Whether the device repeats it from now on."""
        return self._recording is not None


def capture(step: Callable[..., Any]) -> Captured:
    """`step` as a function that a GPU repeats by itself; on NumPy it is `step`.

    Two calls run as they are. The third is recorded: what it asks of the device is done then, and in each
    later call again, on the same memory, without Python. Arguments, learning rates, step counts and keys of
    dropout masks are brought up to date; everything else is what it was when it was recorded. Arguments and
    results may be Tensors, also in tuples, lists and dicts; results are copies, without a graph. Anything
    else must be equal in each call. Gradients, weights and other state are where they always are.

    A call raises CaptureError, which says why, for arguments of another shape or dtype, for modes, options or
    hooks that have changed, and where the step reads a value on the host, as ``float(loss)`` does, makes
    Tensors from numbers of the host, or adds to gradients of earlier calls.
    """
    return Captured(step)


class _Recording:
    """A step that was recorded, with the memory that it reads and writes."""

    def __init__(self, step: Callable[..., Any], form: Any, args: Any, options: Any) -> None:
        self.name = getattr(step, "__name__", type(step).__name__)
        self.form, self.xp, self.modes = form, backend.xp, _modes()
        self.notes = Capture()
        self.recorder = self.xp.Recorder()
        self.inputs: list[Any] = []
        inside_args, inside_options = _mapped((args, options), self._own_input)
        before = backend.rng_state()
        running.append(self.notes)
        try:
            with self.recorder.recording():
                self.result = _mapped(step(*inside_args, **inside_options), _bare)
                self._settle()
        except Exception as error:
            self._undo()
            backend.set_rng_state(before)
            reason = _reason(error)
            if reason is None:
                raise
            raise CaptureError(f"capture: {self.name} cannot be captured: {reason}") from error
        finally:
            running.clear()
        self.gradients = [(leaf, leaf.grad) for leaf in self.notes.leaves]

    def _own_input(self, value: Any) -> Any:
        """A copy of an argument, that each call writes to."""
        if isinstance(value, Tensor):
            if value._edge is not None:
                raise CaptureError(
                    f"capture: {self.name}: an argument of shape {value.shape} requires grad, and its "
                    "gradient would go to a copy; use it in the step without handing it over"
                )
            copy = Tensor._wrap(value._data.copy(KEEP))
            self.inputs.append(copy._data)
            return copy
        self.inputs.append(value.copy(KEEP))
        return self.inputs[-1]

    def _settle(self) -> None:
        """New arrays of state are copied to where the old ones lie, which the next replay reads."""
        for home in self.notes.homes.values():
            now = home.get()
            if now is home.array:
                continue
            if now is None or (now.shape, now.dtype) != (home.array.shape, home.array.dtype):
                raise CaptureError(f"{home.name} changes its shape or dtype from {home.array.shape}")
            home.array[...] = now
            home.put(home.array)

    def _undo(self) -> None:
        """The host is where it was before the capture, which has computed nothing."""
        for home in self.notes.homes.values():
            home.put(home.array)
        for leaf in self.notes.leaves:
            leaf.grad = None
        for undo in reversed(self.notes.undo):
            undo()

    def check(self, form: Any) -> None:
        """Raise CaptureError where this call is not the recorded one."""
        reason = _difference(form, self.form)
        if reason is None and (self.xp is not backend.xp or _modes() != self.modes):
            reason = "no_grad, detect_anomaly, a precision or the backend are not what they were"
        for name, ask, answer in self.notes.watched.values():
            if reason is None and ask() != answer:
                reason = f"{name} changed since"
        for home in self.notes.homes.values():
            now = home.get()
            if (
                reason is None
                and now is not home.array
                and (now is None or (now.shape, now.dtype) != (home.array.shape, home.array.dtype))
            ):
                reason = f"{home.name} is not an array of shape {home.array.shape} any more"
        if reason is not None:
            raise CaptureError(
                f"capture: {self.name} was captured and cannot be repeated: {reason}; capture it anew, "
                "or call the function itself"
            )

    def repeat(self, arrays: list[Any]) -> Any:
        """One more step."""
        self._settle()
        for own, given in zip(self.inputs, arrays, strict=True):
            own[...] = given
        for action in self.notes.actions:
            action()
        return self.launch()

    def launch(self) -> Any:
        """Do what was recorded, with the numbers of this step."""
        for i, (host, device) in enumerate(self.notes.chunks):
            last = i == len(self.notes.chunks) - 1
            stop = self.notes.used if last else len(host)
            self.xp.renumber(device[:stop], host[:stop])
        self.recorder.replay()
        for leaf, gradient in self.gradients:
            leaf.grad = gradient
        for array in self.notes.written:
            guard.touched(array)
        return _mapped(self.result, _copied)


def _modes() -> tuple[bool | str, ...]:
    return mode.recording.get(), mode.updating.get(), mode.anomaly.get(), *precision.words()


def _reason(error: Exception) -> str | None:
    """Why a step cannot be captured; None for an error that is none of the capture's."""
    if isinstance(error, CaptureError):
        return str(error)
    trouble = backend.explain(error)
    if trouble is not None:
        return trouble.text
    of_library = type(error).__module__.partition(".")[0] in ("cupy", "cupy_backends")
    return str(error) if of_library or isinstance(error, NotImplementedError) else None


# ---- arguments and results ---------------------------------------------------------------------


def _is_leaf(value: Any) -> bool:
    return isinstance(value, Tensor) or (backend.is_array(value) and not isinstance(value, np.ndarray))


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with change(x) for each Tensor or array of the device in its tuples, lists and dicts."""
    if _is_leaf(value):
        return change(value)
    if isinstance(value, tuple | list):
        parts = [_mapped(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    return value


def _bare(value: Any) -> Any:
    """A result without its graph."""
    return value.detach() if isinstance(value, Tensor) else value


def _copied(value: Any) -> Any:
    return Tensor._wrap(value._data.copy(KEEP)) if isinstance(value, Tensor) else value.copy(KEEP)


def _taken_apart(call: tuple[tuple[Any, ...], dict[str, Any]]) -> tuple[list[tuple[str, Any]], list[Any]]:
    """([(where, Form or value)], arrays) of the arguments of a call."""
    form, arrays = [], []
    args, options = call
    named = [*((f"argument {i}", a) for i, a in enumerate(args)), *((repr(k), v) for k, v in options.items())]
    for where, value in (part for name, argument in named for part in _parts(name, argument)):
        if not _is_leaf(value):
            if isinstance(value, np.ndarray):
                raise CaptureError(f"capture: {where} is a NumPy array; hand over a Tensor")
            form.append((where, value))
            continue
        array = value._data if isinstance(value, Tensor) else value
        arrays.append(array)
        form.append((where, Form(type(value).__name__, array.shape, array.dtype)))
    return form, arrays


def _parts(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tuple | list):
        yield f"the kind of {where}", type(value)
        for i, part in enumerate(value):
            yield from _parts(f"{where}[{i}]", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _parts(f"{where}[{key!r}]", part)
    else:
        yield where, value


def _difference(form: list[tuple[str, Any]], wanted: list[tuple[str, Any]]) -> str | None:
    """What differs between the arguments of two calls, as a clause."""
    if [where for where, _ in form] != [where for where, _ in wanted]:
        return f"its arguments have another structure: {len(form)} parts instead of {len(wanted)}"
    for (where, now), (_, then) in zip(form, wanted, strict=True):
        if now is then or (type(now) is type(then) and now == then):
            continue
        if isinstance(now, Form) and isinstance(then, Form):
            return f"{where} is {_said(now)} instead of {_said(then)}"
        return f"{where} is {now!r} instead of {then!r}"
    return None


def _said(form: Form) -> str:
    return f"a {form.kind} {form.shape} {form.dtype}"
