"""``derive``: the derivation of an operation, its rules as they run; or the chain of a network."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from ..autograd import Function
from ..verify.source import source
from . import DONE, FAILED
from .chain import chain, print_chain
from .networks import all_networks, find_network
from .operations import all_operations, plain, suggestion
from .output import print_json
from .steps import as_data, derivations_of, print_derivation


def derive_command(arguments: argparse.Namespace) -> int:
    name, lang = arguments.operation, arguments.lang
    operation = all_operations().get(plain(name))
    entries = derivations_of(operation, name)
    if operation is None and not entries:
        if plain(name) in all_networks():
            if arguments.numbers:
                raise ValueError(f"--numbers is an example of an operation; {name} is a network")
            return _chain(arguments)
        known = [*_others(), *(c.__name__ for c in all_operations().values())]
        raise ValueError(f"unknown operation {name!r}; {suggestion(name, known)}")
    if operation is None and _is_operation(entries[0].rule):
        operation = entries[0].rule
    told = [as_data(entry, lang, arguments.numbers) for entry in entries]
    passed = all(line["passed"] for data in told for line in (*data["steps"], *data["shipped"].values()))
    if arguments.json:
        print_json({**_plain(operation), "derivations": told, "passed": passed})
    else:
        for data in told:
            print_derivation(data, lang)
            print()
        if operation is not None:
            _print_plain(operation)
    return DONE if passed else FAILED


def _chain(arguments: argparse.Namespace) -> int:
    network = find_network(arguments.operation)
    rows = chain(network)
    if arguments.json:
        print_json({"model": network.name, "chain": rows})
    else:
        words = CHAIN[arguments.lang]
        print_chain(network.name, rows, words | {"chain": words["text" if network.texts else "images"]})
    return DONE


def _is_operation(rule: Any) -> bool:
    return inspect.isclass(rule) and issubclass(rule, Function)


def _others() -> list[str]:
    """What else can be derived: derivations that are not called as their operation, and networks."""
    networks = [n.name for n in all_networks().values()]
    if importlib.util.find_spec("sympy") is None:
        return networks
    from ..verify.derivations import DERIVATIONS

    return [*(e.name for e in DERIVATIONS), *networks]


def _plain(operation: type[Function] | None) -> dict[str, Any]:
    if operation is None:
        return {}
    return {
        "operation": operation.__name__, "module": operation.__module__, "formula": inspect.getdoc(operation),
        "source": source(operation), "derivatives": _derivatives(operation),
    }  # fmt: skip


def _print_plain(operation: type[Function]) -> None:
    """The rules as they run, and their derivative by SymPy where they work on single numbers."""
    print(f"{operation.__name__} in {operation.__module__}\n\n{source(operation)}\n")
    derivatives = _derivatives(operation)
    if isinstance(derivatives, str):
        print(derivatives)
        return
    print("by SymPy, from the forward above:")
    for where, formulas in derivatives.items():
        print(f"  {where}:")
        for name, formula in formulas.items():
            print(f"    {name} = {formula}")


CHAIN = {
    "en": {"images": "one step of training on two samples, from the loss back to the input",
           "text": "one step of training on one text, from the loss back to the parameters", "layer": "layer",
           "rule": "rule", "gives": "passes on", "where": "file and line",
           "told": "told step by step by `tinygrad-notes derive`"},
    "zh": {"images": "两个样本的一步训练，从损失反向到输入",
           "text": "一段文本的一步训练，从损失反向到参数", "layer": "层", "rule": "规则",
           "gives": "传出的梯度", "where": "文件与行号", "told": "可用 `tinygrad-notes derive` 查看逐步推导"},
}  # fmt: skip


def _derivatives(operation: type[Function]) -> dict[str, dict[str, str]] | str:
    """{where: {"y": formula, "∂y/∂x": formula}} for an operation on single numbers, or why there is none.

    Where the forward compares numbers, its formula holds near the points that it was read at.
    """
    if importlib.util.find_spec("sympy") is None:
        return "its derivative needs SymPy: pip install 'tinygrad-notes[verify]'"
    from ..verify.cases import CASES
    from ..verify.proof import calls

    rng = np.random.default_rng(0)
    row = next((case for case in CASES if operation in case.operations), None)
    called = [] if row is None else calls(row.run, row.inputs(rng), row.differentiable)
    attributes = next((call.attributes for call in called if call.operation is operation), None)
    regions: dict[str, dict[str, str]] = {}
    if attributes is not None and operation.save_rule is None and not operation.variadic:
        count = len(operation.inputs)
        choices = (Fraction(7, 4), Fraction(1, 4)) if count == 1 else (Fraction(7, 4),)
        for values in itertools.product((*choices, *(-v for v in choices)), repeat=count):
            # No two inputs agree, so that none of them is at a kink.
            point = {name: v + Fraction(i, 8)
                     for i, (name, v) in enumerate(zip(operation.inputs, values, strict=True))}  # fmt: skip
            where, formulas = _formulas(operation, point, attributes)
            if formulas is not None:
                regions.setdefault(str(formulas), {"": where} | formulas)
                known = regions[str(formulas)]
                known[""] = where if where in known[""].split("; ") else f"{known['']}; {where}"
    named = {formulas.pop(""): formulas for formulas in regions.values()}
    return named or "it works on whole arrays: `tinygrad-notes verify` proves its backward on symbols"


def _formulas(
    operation: type[Function], point: dict[str, Fraction], attributes: dict[str, Any]
) -> tuple[str, dict[str, str] | None]:
    """(where they hold, the forward and its derivatives), read on one symbol per input and attribute.

    None instead of formulas where that is not possible.
    """
    import sympy

    from ..verify.scalar import Scalar, lift, trace, value_of
    from ..verify.symbolic import xp

    numbers = {k: Fraction(v) for k, v in attributes.items() if type(v) in (int, float)}
    symbols = {name: sympy.Symbol(name, real=True) for name in (*point, *numbers)}
    read = {name: np.array(Scalar(symbols[name], value_of(v)), object) for name, v in numbers.items()}
    # Two elements: the first is what is read, and must not depend on the second.
    inputs = [np.array([Scalar(symbols[name], value_of(v)), Scalar(sympy.Symbol("other"), value_of(v))])
              for name, v in point.items()]  # fmt: skip
    trace.clear()
    try:
        both = operation.forward(xp, *inputs, **{**attributes, **read})
        y = lift(both[0]).expr
        if both.shape != (2,) or sympy.Symbol("other") in y.free_symbols:
            return "", None
        exact = {symbols[k]: sympy.Rational(v.numerator, v.denominator) for k, v in (point | numbers).items()}
        if not y.subs(exact).is_real:
            return "", None  # outside the domain
        slopes = {f"∂y/∂{name}": _short(sympy.simplify(sympy.diff(y, symbols[name]))) for name in point}
    except Exception:  # it needs axes, indices or other things that a single number does not have
        return "", None
    near = ", ".join(f"{name} = {float(v):g}" for name, v in (point | numbers).items())
    return f"near {near}" if trace.decisions else "everywhere", {"y": _short(y), **slopes}


def _short(expression: Any) -> str:
    """With constants that a float has rounded to 6 digits."""
    import sympy

    long = {r: sympy.Float(r, 6) for r in expression.atoms(sympy.Rational) if r.q > 10**6}
    return str(expression.xreplace(long))
