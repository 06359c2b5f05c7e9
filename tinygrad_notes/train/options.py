"""Options: each is declared once, as a field of a frozen dataclass, with its type, range, default and help.

From the declaration follow the command line, what config.json may hold, `--help`, and the errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import operator
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any


class RunError(ValueError):
    """Options or a run folder that cannot be used; the message says why."""


def filled(text: str) -> str:
    """A word of the command line as it is. An empty one, which an unset shell variable leaves, would be the
    folder that the command runs in. Raises ArgumentTypeError for it."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty; is a variable of the shell unset?")
    return text


def option(
    default: Any, *, help: str, least: float | None = None, above: float | None = None,
    below: float | None = None, choices: Sequence[str] | Mapping[str, str] | None = None,
    metavar: str | None = None,
) -> Any:  # fmt: skip
    """A field of a class of options; its type is the annotation: bool, int, float, str, or a union of them.

    Numbers are of at least `least`, above `above` and below `below`. `choices` are the words allowed; a
    mapping says in the help what each means. None is a value only where the annotation has it: "none" on the
    command line.
    """
    if choices is not None:
        choices = dict(choices) if isinstance(choices, Mapping) else dict.fromkeys(choices, "")
    declared = dict(help=help, least=least, above=above, below=below, choices=choices, metavar=metavar)
    return dataclasses.field(default=default, metadata={"option": declared})


@dataclass(frozen=True)
class Option:
    """One declared option; see `option`. `kinds` are the types that it may have besides None."""

    name: str
    kinds: tuple[type, ...]
    optional: bool
    default: Any
    help: str
    least: float | None
    above: float | None
    below: float | None
    choices: dict[str, str] | None
    metavar: str | None

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def rule(self) -> str:
        """What a value must be, in words: "a whole number of at least 1"."""
        return " or ".join([self._words(kind) for kind in self.kinds] + ["none"] * self.optional)

    def described(self, default: Any) -> str:
        """The help, with what its words mean, and with `default`, if there is one."""
        text = self.help
        if self.choices:
            text += ": " + ", ".join(f"{w} ({means})" if means else w for w, means in self.choices.items())
        if isinstance(default, bool):
            default = "yes" if default else "no"
        elif isinstance(default, float):
            default = f"{default:g}"
        return text if default is None else f"{text} (default {default})"

    def check(self, value: Any) -> None:
        """Raises RunError where `value`, from Python or JSON, is not what was declared."""
        if not self.allows(value):
            raise RunError(f"{self.name} must be {self.rule}, got {value!r}")

    def allows(self, value: Any) -> bool:
        return (value is None and self.optional) or any(self._fits(kind, value) for kind in self.kinds)

    def read(self, text: str) -> Any:
        """What `text` means on the command line. Raises ArgumentTypeError for what is not allowed."""
        if filled(text).lower() == "none" and self.optional:
            return None
        for kind in self.kinds:
            try:
                value = kind(text)
            except ValueError:
                continue
            if self.allows(value):
                return value
            break  # what reads as a number is none of the words
        raise argparse.ArgumentTypeError(f"must be {self.rule}, got {text!r}")

    def _words(self, kind: type) -> str:
        if kind is bool:
            return "true or false"
        if kind is str:
            return "a word" if self.choices is None else f"one of {', '.join(self.choices)}"
        bounds = ((self.least, "of at least"), (self.above, "above"), (self.below, "below"))
        limits = " and ".join(f"{words} {bound:g}" for bound, words in bounds if bound is not None)
        return f"{'a whole number' if kind is int else 'a number'} {limits}".rstrip()

    def _fits(self, kind: type, value: Any) -> bool:
        if kind is bool:
            return isinstance(value, bool)
        if kind is str:
            return isinstance(value, str) and (value in self.choices if self.choices else value != "")
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else int):
            return False
        bounds: tuple[tuple[Callable[[Any, Any], bool], float | None], ...] = (
            (operator.ge, self.least), (operator.gt, self.above), (operator.lt, self.below),
        )  # fmt: skip
        return abs(value) <= sys.float_info.max and all(
            bound is None or holds(value, bound) for holds, bound in bounds
        )


@cache
def options_of(declared: type) -> dict[str, Option]:
    """{name: option} of a class of options, in the order of their declaration."""
    hints, found = typing.get_type_hints(declared), {}
    for field in dataclasses.fields(declared):
        if "option" not in field.metadata:
            continue
        hint = hints[field.name]
        kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        plain = tuple(kind for kind in kinds if kind is not type(None))
        found[field.name] = Option(
            field.name, plain, plain != kinds, field.default, **field.metadata["option"]
        )
    return found


def check_options(values: Any) -> None:
    """Check every option of an instance of a class of options. Raises RunError."""
    for name, declared in options_of(type(values)).items():
        declared.check(getattr(values, name))


def add_options(
    parser: Any, declared: type, defaults: Mapping[str, Any] | None = None, show_defaults: bool = True
) -> None:
    """Give `parser` (of argparse, or a group of it) the options of a class.

    `defaults` are shown in the place of the declared ones. What a user leaves out is not in the namespace.
    """
    defaults = {} if defaults is None else defaults
    for name, one in options_of(declared).items():
        text = one.described(defaults.get(name, one.default) if show_defaults else None)
        if one.kinds == (bool,):
            kind: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            kind = {
                "type": one.read,
                "metavar": one.metavar or {int: "N", float: "X"}.get(one.kinds[0], "NAME"),
            }
        help = text.replace("%", "%%")  # argparse would take a single one for a format
        parser.add_argument(one.flag, dest=name, default=argparse.SUPPRESS, help=help, **kind)


def given_options(namespace: argparse.Namespace, declared: type) -> dict[str, Any]:
    """The options of a class that stood on the command line."""
    return {name: getattr(namespace, name) for name in options_of(declared) if hasattr(namespace, name)}
