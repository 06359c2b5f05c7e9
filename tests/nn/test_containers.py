"""Containers do what torch's do: the same calls, then the same keys in the same order."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn


def linear(library, width):
    return library.nn.Linear(width, width)


LISTS = {
    "append": lambda m, lib: m.append(linear(lib, 5)),
    "extend": lambda m, lib: m.extend([linear(lib, 5), linear(lib, 6)]),
    "insert first": lambda m, lib: m.insert(0, linear(lib, 5)),
    "insert in the middle": lambda m, lib: m.insert(1, linear(lib, 5)),
    "insert last": lambda m, lib: m.insert(3, linear(lib, 5)),
    "assign": lambda m, lib: m.__setitem__(1, linear(lib, 5)),
    "assign from the end": lambda m, lib: m.__setitem__(-1, linear(lib, 5)),
    "delete": lambda m, lib: m.__delitem__(0),
    "delete a slice": lambda m, lib: m.__delitem__(slice(0, 2)),
    "pop": lambda m, lib: m.pop(0),
    "+=": lambda m, lib: m.__iadd__(lib.nn.Sequential(linear(lib, 5))),
}


def made(name, lib):
    layers = [linear(lib, width) for width in (1, 2, 3)]
    return lib.nn.ModuleList(layers) if name == "ModuleList" else lib.nn.Sequential(*layers)


def shapes(module):
    return [(key, tuple(value.shape)) for key, value in module.state_dict().items()]


@pytest.mark.parametrize("change", LISTS)
@pytest.mark.parametrize("name", ["ModuleList", "Sequential"])
def test_lists_of_modules_are_torchs(name, change):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours, theirs = made(name, tg), made(name, torch)
    LISTS[change](ours, tg)
    LISTS[change](theirs, torch)
    assert shapes(ours) == shapes(theirs) and len(ours) == len(theirs)
    assert [type(m).__name__ for m in ours] == [type(m).__name__ for m in theirs]


@pytest.mark.parametrize("part", [slice(1, None), slice(None, 2), slice(None, None, 2), slice(-1, None)])
def test_a_slice_of_a_sequential_keeps_the_names_as_in_torch(part):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    assert shapes(made("Sequential", tg)[part]) == shapes(made("Sequential", torch)[part])
    named = {"body": nn.Linear(2, 2), "act": nn.ReLU(), "head": nn.Linear(2, 1)}
    cut = nn.Sequential(dict(named))[part]
    assert [name for name, _ in cut.named_children()] == list(named)[part]
    assert list(cut) == list(named.values())[part]


def test_parts_that_are_taken_out_and_slices():
    a, b, c = (nn.Linear(n, n) for n in (1, 2, 3))
    parts = nn.ModuleList([a, b, c])
    assert parts[-1] is c and list(parts[1:]) == [b, c] and isinstance(parts[1:], nn.ModuleList)
    assert parts.pop() is c and list(parts) == [a, b] and list(parts + [c]) == [a, b, c]
    assert a in parts and c not in parts
    body = nn.Sequential(a, b)
    assert body.insert(0, c) is body and list(body) == [c, a, b] and body.append(nn.ReLU()) is body
    joined = nn.Sequential(a) + nn.Sequential(b, c)
    assert isinstance(joined, nn.Sequential) and list(joined) == [a, b, c]
    with pytest.raises(IndexError):
        parts[2] = c
    with pytest.raises(TypeError, match="ModuleList: the index of one part must be an integer"):
        parts[0:1] = c
    with pytest.raises(TypeError, match="ModuleList: parts must be Modules"):
        parts.append(np.tanh)
    with pytest.raises(TypeError, match="Sequential: parts must be Modules"):
        body[0] = 3
    with pytest.raises(TypeError, match="parts must be Modules"):
        parts.insert(0, None)
    assert list(parts) == [a, b] and list(parts.extend(parts)) == [a, b, a, b]


def test_what_was_inserted_trains_and_is_converted():
    net = nn.ModuleList([nn.Linear(2, 2)])
    net.insert(0, nn.Linear(2, 2))
    net.astype("float64").eval()
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)} and len(list(net.parameters())) == 4
    assert not net[0].training


def test_a_dictionary_of_modules_is_torchs():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

    def used(lib):
        parts = lib.nn.ModuleDict({"one": linear(lib, 1), "two": linear(lib, 2)})
        parts["three"] = linear(lib, 3)
        parts["one"] = linear(lib, 4)
        parts.update([("four", linear(lib, 4)), ("two", linear(lib, 5))])
        parts.update({"five": linear(lib, 5)})
        parts.pop("three")
        del parts["four"]
        seen = [list(parts), list(parts.keys()), [k for k, _ in parts.items()], len(parts), "one" in parts]
        return shapes(parts), seen, [type(m).__name__ for m in parts.values()]

    assert used(tg) == used(torch)


def test_names_that_a_dictionary_refuses():
    parts = nn.ModuleDict({"a": nn.ReLU()})
    for name in ("keys", "forward", "a.b", "", "training"):
        with pytest.raises(KeyError, match="cannot name a part"):
            parts[name] = nn.ReLU()
    with pytest.raises(TypeError, match="names of parts are strings, got 1"):
        parts[1] = nn.ReLU()
    with pytest.raises(KeyError):
        parts["b"]
    with pytest.raises(KeyError):
        del parts["b"]
    with pytest.raises(TypeError, match="ModuleDict: parts must be Modules"):
        parts["b"] = 1
    with pytest.raises(TypeError, match="ModuleDict defines no forward"):
        parts(1)
    parts.clear()
    assert len(parts) == 0 and not parts.state_dict()


def test_a_list_of_parameters_is_torchs():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

    def used(lib, tensor):
        parts = lib.nn.ParameterList([tensor(1), tensor(2)])
        parts.append(tensor(3))
        parts.extend([tensor(4), tensor(5)])
        parts[1] = tensor(6)
        parts += [tensor(7)]
        total = sum(p.sum() for p in parts)
        total.backward()
        assert all(isinstance(p, lib.nn.Parameter) and p.grad is not None for p in parts)
        return shapes(parts), len(parts), total.item(), [tuple(p.shape) for p in parts[1:3]]

    ours = used(tg, lambda n: tg.ones((n,)))
    assert ours == used(torch, lambda n: torch.ones(n))
    weights = nn.ParameterList([np.ones(2, np.float32)])
    weights.insert(0, np.zeros((1, 2), np.float32)).append(np.zeros(4)).pop()
    assert repr(weights) == "ParameterList((1, 2) float32, (2,) float32)"
    assert tg.optim.SGD(weights.parameters(), lr=0.1)


def test_identity_takes_any_arguments_as_torchs_does():
    assert nn.Identity(54, unused=True)("anything") == "anything"
