"""A Module in a captured step: what a replay must find again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ..backend.capture import CaptureError
from ..backend.capture import running as running
from .parameter import Buffer, Parameter

if TYPE_CHECKING:
    from .module import Module


def note_module(module: Module) -> None:
    """Note the state and the modes of `module` and its parts, if a step is captured.

    Raises CaptureError for a hook.
    """
    for part in module.modules() if running else ():
        capture = running[-1]
        if ("module", part) in capture.watched:
            continue
        name = type(part).__name__
        if part._pre_hooks or part._hooks:
            raise CaptureError(f"a hook of {name} would run only once; remove it")
        said = functools.partial(_said, part)
        capture.depends(("module", part), f"the mode, a hook or what is frozen of {name}", said)
        for key, tensor in _held(part).items():
            capture.holds_tensor(tensor, f"{key} of {name}")


def _held(part: Module) -> dict[str, Any]:
    return {key: value for key, value in vars(part).items() if isinstance(value, Parameter | Buffer)}


def _said(part: Module) -> tuple[Any, ...]:
    frozen = [(id(tensor), tensor.requires_grad) for tensor in _held(part).values()]
    return part.training, bool(part._pre_hooks or part._hooks), frozen
