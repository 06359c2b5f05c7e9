"""Options: declared once, and checked alike on the command line, in Python and in config.json."""

import argparse
import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.train.options import (
    RunError,
    add_options,
    check_options,
    given_options,
    option,
    options_of,
)


@dataclass(frozen=True)
class Some:
    count: int = option(3, least=1, help="how many")
    rate: float = option(0.5, above=0, below=1, help="how much, 100 %")
    share: float | str | None = option(0.1, least=0, below=1, metavar="V", help="a share or a path")
    limit: int | None = option(None, least=1, help="at most")
    kind: str = option("a", choices={"a": "the first", "b": ""}, help="which")
    other: str | None = option(None, choices=("x", "y"), help="another")
    quick: bool = option(False, help="in a hurry")
    plain: int = 7  # no option

    def __post_init__(self):
        check_options(self)


def read(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, Some, {"count": 5})
    return given_options(parser.parse_args(words), Some)


def test_what_is_given_and_nothing_else():
    assert read() == {}
    words = ["--count", "2", "--rate=0.25", "--share", "a/b", "--kind", "b", "--quick", "--limit", "none"]
    assert read(*words) == {
        "count": 2, "rate": 0.25, "share": "a/b", "kind": "b", "quick": True, "limit": None,
    }  # fmt: skip
    assert read("--share", "0.2", "--no-quick", "--other", "x") == {
        "share": 0.2,
        "quick": False,
        "other": "x",
    }
    assert read("--share", "none", "--rate", "1e-3") == {"share": None, "rate": 1e-3}
    assert Some(**read("--count", "2")).count == 2
    assert "plain" not in options_of(Some)


@pytest.mark.parametrize(
    ("words", "value", "rule"),
    [
        (["--count", "0"], {"count": 0}, "a whole number of at least 1"),
        (["--count", "1.5"], {"count": 1.5}, "a whole number of at least 1"),
        (["--count", "none"], {"count": None}, "a whole number of at least 1"),
        (["--rate", "1"], {"rate": 1}, "a number above 0 and below 1"),
        (["--rate", "nan"], {"rate": float("nan")}, "a number above 0 and below 1"),
        (["--share", "1.5"], {"share": 1.5}, "a number of at least 0 and below 1 or a word or none"),
        (["--share", "inf"], {"share": float("inf")}, "a number of at least 0 and below 1 or a word or none"),
        (["--limit", "0"], {"limit": 0}, "a whole number of at least 1 or none"),
        (["--kind", "c"], {"kind": "c"}, "one of a, b"),
        (["--other", "z"], {"other": "z"}, "one of x, y or none"),
        (["--count", "1" * 500], {"count": True}, "a whole number of at least 1"),
        (["--rate", "x"], {"rate": "x"}, "a number above 0 and below 1"),
    ],
)
def test_wrong_values_are_told_alike_everywhere(words, value, rule):
    with pytest.raises(argparse.ArgumentError) as caught:
        read(*words)
    assert f"must be {rule}, got {words[1]!r}" in str(caught.value)
    ((name, wrong),) = value.items()
    with pytest.raises(RunError) as refused:
        Some(**value)
    assert str(refused.value) == f"{name} must be {rule}, got {wrong!r}"


def test_types_are_not_converted_in_python():
    wrong_ones = {"quick": 1, "kind": 3, "count": "2", "rate": True, "limit": 2.0, "share": "", "other": ""}
    for name, wrong in wrong_ones.items():
        with pytest.raises(RunError, match=f"{name} must be"):
            Some(**{name: wrong})


def test_help_shows_ranges_words_and_the_defaults_of_the_model(capsys):
    parser = argparse.ArgumentParser()
    add_options(parser, Some, {"count": 5, "quick": True})
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for words in ("--count N how many (default 5)", "how much, 100 % (default 0.5)", "--limit N at most",
                  "which: a (the first), b (default a)", "--quick, --no-quick in a hurry (default yes)",
                  "--share V a share or a path (default 0.1)", "another: x, y"):  # fmt: skip
        assert words in text
    add_options(again := argparse.ArgumentParser(), Some, show_defaults=False)
    assert "default" not in again.format_help()


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.booleans(), st.none()))
def test_python_and_the_command_line_agree(value):
    """What the command line reads is allowed in Python, and what is allowed in Python can be typed."""
    for one in options_of(Some).values():
        if one.allows(value) and one.kinds != (bool,):
            typed = "none" if value is None else repr(value) if not isinstance(value, str) else value
            try:
                back = one.read(typed)
            except argparse.ArgumentTypeError:  # a word that reads as a number out of range
                assert isinstance(value, str) and one.name == "share"
                continue
            assert back == value or isinstance(value, str)
        if one.kinds != (bool,):
            with contextlib.suppress(argparse.ArgumentTypeError):
                assert one.allows(one.read(str(value)))
