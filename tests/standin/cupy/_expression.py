"""The part of C++ that kernels of one's own are written in: parsed, and computed in C's types by NumPy.

Statements are ``const TYPE name = EXPR;`` and ``name = EXPR;``. Expressions: numbers, names, unary and
binary operators, ``?:``, casts ``(TYPE)x``, calls of CUDA's device functions, parentheses. Types follow C++:
small integers become int, float16 becomes float, float and double give double. What a device compiler would
refuse is refused: unknown names and functions, NumPy's type names, float16 beside another type in ``?:``.
Stricter: device functions take floating numbers only, and two arguments must have one type.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

TYPES = {
    "bool": np.bool_, "signed char": np.int8, "char": np.int8, "unsigned char": np.uint8, "short": np.int16,
    "unsigned short": np.uint16, "int": np.int32, "unsigned int": np.uint32, "long long": np.int64,
    "unsigned long long": np.uint64, "float16": np.float16, "float": np.float32, "double": np.float64,
}  # fmt: skip
_TYPE_WORDS = {word for name in TYPES for word in name.split()} | {"long"}
_RANKS = [np.dtype(name) for name in ("i4", "u4", "i8", "u8", "f4", "f8")]
_LEVELS = ["||", "&&", "|", "^", "&", "== !=", "< <= > >=", "<< >>", "+ -", "* / %"]  # loosest first
_COMPARE = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
    ">=": np.greater_equal,
}  # fmt: skip
_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply}
_BITS = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor}
_TOKEN = re.compile(
    r"\s+|//[^\n]*|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?"
    r"|\d+[eE][+-]?\d+[fF]?|\d+[uUlL]*)(?!\w)|(?P<name>[A-Za-z_]\w*(?:\.[xyz]\b)?)"
    r"|(?P<sign><<|>>|[<>=!]=|&&|\|\||[-+*/%<>=!~&|^?:(),;])"
)


class Refused(ValueError):
    """What the compiler of the device would not take; the real CuPy raises CompileException."""


class Node(NamedTuple):
    """``kind`` is what it is, ``text`` its name or sign, ``parts`` what it is made of."""

    kind: str
    text: str
    parts: tuple[Node, ...] = ()


class Statement(NamedTuple):
    """``[type] name = value``; `type` is None for an assignment to a name that exists."""

    type: np.dtype | None
    name: str
    value: Node


# --- text to tree ---


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.tokens = text, 0, list[tuple[str, str]]()
        end = 0
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise Refused(f"kernel text: {text[end : end + 20]!r} is not understood, in:\n{text}")
            end = match.end()
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match[0]))

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead][1] if self.at + ahead < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        found = self.peek()
        if not found or (wanted and found != wanted):
            raise Refused(
                f"kernel text: {wanted or 'something'!r} expected at {found or 'the end'!r}, in:\n{self.text}"
            )
        self.at += 1
        return found

    def name(self) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "name" or self.peek() in _TYPE_WORDS:
            raise Refused(f"kernel text: a name expected at {self.peek() or 'the end'!r}, in:\n{self.text}")
        return self.take()

    def type(self) -> np.dtype:
        words = []
        while self.peek() in _TYPE_WORDS:
            words.append(self.take())
        if " ".join(words) not in TYPES:
            raise Refused(f"kernel text: no such type {' '.join(words)!r}; known are {sorted(TYPES)}")
        return np.dtype(TYPES[" ".join(words)])

    def statement(self) -> Statement:
        const = self.peek() == "const"
        if const:
            self.take()
        declared = self.type() if const or self.peek() in _TYPE_WORDS else None
        name = self.name()
        self.take("=")
        return Statement(declared, name, self.expression())

    def expression(self) -> Node:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take()
        first = self.expression()
        self.take(":")
        return Node("?:", "?:", (condition, first, self.expression()))

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in _LEVELS[level].split():
            left = Node("binary", self.take(), (left, self.binary(level + 1)))
        return left

    def unary(self) -> Node:
        if self.peek() in ("-", "+", "!", "~"):
            return Node("unary", self.take(), (self.unary(),))
        if self.peek() == "(" and self.peek(1) in _TYPE_WORDS:
            self.take()
            wanted = self.type()
            self.take(")")
            return Node("cast", wanted.name, (self.unary(),))
        return self.primary()

    def primary(self) -> Node:
        kind = self.tokens[self.at][0] if self.at < len(self.tokens) else ""
        if kind == "number":
            return Node("number", self.take())
        if self.peek() in _TYPE_WORDS:
            wanted = self.type()
            return Node("cast", wanted.name, self.arguments(1))
        if kind == "name":
            name = self.take()
            return Node("call", name, self.arguments()) if self.peek() == "(" else Node("name", name)
        self.take("(")
        inside = self.expression()
        self.take(")")
        return inside

    def arguments(self, count: int | None = None) -> tuple[Node, ...]:
        self.take("(")
        found = [self.expression()]
        while self.peek() == ",":
            self.take()
            found.append(self.expression())
        self.take(")")
        if count is not None and len(found) != count:
            raise Refused(f"kernel text: {count} arguments expected, {len(found)} found, in:\n{self.text}")
        return tuple(found)


@functools.cache
def statements(text: str, separator: str = ";") -> tuple[Statement, ...]:
    """The statements of a kernel's text; the last `separator` may be missing."""
    parser, found = _Parser(text), []
    while parser.peek():
        found.append(parser.statement())
        if parser.peek():
            parser.take(separator)
    return tuple(found)


@functools.cache
def expression(text: str) -> Node:
    """The tree of one expression."""
    parser = _Parser(text)
    found = parser.expression()
    if parser.peek():
        raise Refused(f"kernel text: nothing expected at {parser.peek()!r}, in:\n{text}")
    return found


# --- tree to value ---


def convert(value: Any, dtype: np.dtype) -> Any:
    """C's conversion: to bool is "not zero", to an integer cuts off."""
    value = np.asarray(value)
    if dtype == np.bool_:
        return value != 0
    return value if value.dtype == dtype else value.astype(dtype)


def promoted(dtype: np.dtype) -> np.dtype:
    """The type that an operand is computed in."""
    if dtype == np.float16:
        return np.dtype(np.float32)
    return dtype if dtype in _RANKS else np.dtype(np.int32)


def evaluate(node: Node, names: Mapping[str, Any]) -> Any:
    """Value of a tree, in its C type; `names` are arrays."""
    if node.kind == "number":
        return _number(node.text)
    if node.kind == "name":
        if node.text in ("true", "false"):
            return np.asarray(node.text == "true")
        if node.text not in names:
            raise Refused(f"kernel text: unknown name {node.text!r}; known here: {sorted(names)}")
        return names[node.text]
    values = [np.asarray(evaluate(part, names)) for part in node.parts]
    if node.kind == "cast":
        return convert(values[0], np.dtype(node.text))
    if node.kind == "unary":
        return _unary(node.text, values[0])
    if node.kind == "binary":
        return _binary(node.text, *values)
    if node.kind == "call":
        return _call(node.text, values)
    return _choice(*values)


def _number(text: str) -> Any:
    if text[:2] not in ("0x", "0X") and re.search(r"[.eEfF]", text):
        return np.asarray(float(text.rstrip("fF")), np.float32 if text[-1] in "fF" else np.float64)
    digits = text.rstrip("uUlL")
    suffix = text[len(digits) :].lower()
    value = int(digits, 0)
    kinds = [np.uint32, np.uint64] if "u" in suffix else [np.int32, np.int64]
    if digits[:2] in ("0x", "0X") and not suffix:
        kinds = [np.int32, np.uint32, np.int64, np.uint64]
    for kind in kinds[1:] if "l" in suffix else kinds:
        if value <= np.iinfo(kind).max:
            return np.asarray(value, kind)
    raise Refused(f"kernel text: {text} has no type of 64 bits")


def _unary(sign: str, value: Any) -> Any:
    if sign == "!":
        return value == 0
    if value.dtype == np.float16 and sign == "-":
        return np.negative(value)
    value = convert(value, promoted(value.dtype))
    if sign == "~":
        if value.dtype.kind == "f":
            raise Refused("kernel text: ~ of a floating number")
        return np.invert(value)
    return np.negative(value) if sign == "-" else value


def _binary(sign: str, left: Any, right: Any) -> Any:
    if sign in ("&&", "||"):
        return (np.logical_and if sign == "&&" else np.logical_or)(left != 0, right != 0)
    if sign in ("<<", ">>"):
        return _shift(sign, *(convert(value, promoted(value.dtype)) for value in (left, right)))
    common = _common(left, right)
    left, right = convert(left, common), convert(right, common)
    if sign in _COMPARE:
        return _COMPARE[sign](left, right)
    if sign in _ARITHMETIC:
        return _ARITHMETIC[sign](left, right)
    if sign == "/" and common.kind == "f":
        return np.divide(left, right)
    if common.kind == "f":
        raise Refused(f"kernel text: {sign} of floating numbers")
    if sign in _BITS:
        return _BITS[sign](left, right)
    rest = np.fmod(left, right)  # of integers: the sign of the dividend, as in C
    return rest if sign == "%" else np.floor_divide(left - rest, right)


def _shift(sign: str, value: Any, places: Any) -> Any:
    if "f" in (value.dtype.kind, places.dtype.kind):
        raise Refused(f"kernel text: {sign} of floating numbers")
    return (np.left_shift if sign == "<<" else np.right_shift)(value, convert(places, value.dtype))


def _common(left: Any, right: Any) -> np.dtype:
    return _RANKS[max(_RANKS.index(promoted(value.dtype)) for value in (left, right))]


def _choice(condition: Any, first: Any, second: Any) -> Any:
    if first.dtype != second.dtype:
        if np.float16 in (first.dtype, second.dtype):
            raise Refused(
                f"kernel text: ?: of {first.dtype} and {second.dtype} is ambiguous; cast one of them"
            )
        common = _common(first, second)
        first, second = convert(first, common), convert(second, common)
    return np.where(condition != 0, first, second)


# --- CUDA's device functions ---


def _special(name: str) -> Callable[..., Any]:
    function = np.vectorize(getattr(math, name), otypes=[np.float64])
    return lambda x: function(x) if x.size else x


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atanh": np.arctanh, "cbrt": np.cbrt, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh,
    "erf": _special("erf"), "erfc": _special("erfc"), "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "fabs": np.fabs, "floor": np.floor, "log": np.log, "log10": np.log10, "log1p": np.log1p, "log2": np.log2,
    "rint": np.rint, "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt,
    "tan": np.tan, "tanh": np.tanh, "trunc": np.trunc,
    "atan2": np.arctan2, "copysign": np.copysign, "fmax": np.fmax, "fmin": np.fmin, "fmod": np.fmod,
    "hypot": np.hypot, "pow": np.power,
    "fma": lambda x, y, z: x * y + z,
}  # fmt: skip
_TWO = ("atan2", "copysign", "fmax", "fmin", "fmod", "hypot", "pow")
_TESTS = {"isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan, "signbit": np.signbit}
_BIT_CASTS = {  # name -> (from, to)
    "__int_as_float": (np.int32, np.float32), "__uint_as_float": (np.uint32, np.float32),
    "__float_as_int": (np.float32, np.int32), "__float_as_uint": (np.float32, np.uint32),
    "__longlong_as_double": (np.int64, np.float64), "__double_as_longlong": (np.float64, np.int64),
}  # fmt: skip


def _call(name: str, values: list[Any]) -> Any:
    if name in _BIT_CASTS and len(values) == 1:
        source, target = _BIT_CASTS[name]
        return (
            np.ascontiguousarray(convert(values[0], np.dtype(source))).view(target).reshape(values[0].shape)
        )
    if name not in FUNCTIONS and name not in _TESTS:
        raise Refused(f"kernel text: unknown function {name!r}; known are {sorted(FUNCTIONS | _TESTS)}")
    count = {"fma": 3}.get(name, 2 if name in _TWO else 1)
    if len(values) != count:
        raise Refused(f"kernel text: {name} takes {count} arguments, {len(values)} are given")
    types = {promoted(value.dtype) for value in values}
    if len(types) > 1 or types.pop().kind != "f":
        kinds = ", ".join(str(value.dtype) for value in values)
        raise Refused(f"kernel text: {name}({kinds}): cast to one floating type first, (float) or (double)")
    values = [convert(value, promoted(value.dtype)) for value in values]
    if name in _TESTS:
        return _TESTS[name](*values)
    return np.asarray(FUNCTIONS[name](*values)).astype(values[0].dtype)
