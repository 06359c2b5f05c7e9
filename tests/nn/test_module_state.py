"""What a Module takes and gives: names, copies, dtypes, what a method returns, and full texts of refusals."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn


class Shared(nn.Module):
    """One buffer, one integer buffer and one part, each under two names."""

    def __init__(self):
        self.first = self.second = nn.Linear(2, 2)
        self.mean = self.other = nn.Buffer(np.array([1.0, 2.0]))
        self.flags = nn.Buffer(np.array([True, False]))


def test_what_is_shared_is_listed_once_under_its_first_name():
    net = Shared()
    assert [name for name, _ in net.named_buffers()] == ["mean", "flags"] and len(list(net.buffers())) == 2
    assert [name for name, _ in net.named_children()] == ["first"] and list(net.children()) == [net.first]
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias"]
    assert [name for name, _ in net.named_modules("net")] == ["net", "net.first"]
    assert list(net.state_dict()) == [
        "mean", "other", "flags", "first.weight", "first.bias", "second.weight", "second.bias",
    ]  # fmt: skip


@pytest.mark.parametrize("call", [
    lambda net: net.train(), lambda net: net.train(False), lambda net: net.eval(),
    lambda net: net.requires_grad_(), lambda net: net.requires_grad_(False),
    lambda net: net.astype("float64"), lambda net: net.apply(lambda part: None),
])  # fmt: skip
def test_a_method_that_sets_something_gives_the_module_back(call):
    net = Shared()
    assert call(net) is net


def test_only_real_numbers_change_their_dtype():
    net = Shared().astype("float16")
    kinds = {name: value.dtype.name for name, value in net.state_dict().items()}
    assert kinds.pop("flags") == "bool" and set(kinds.values()) == {"float16"}
    for dtype in ("int64", "bool"):
        with pytest.raises(TypeError, match=f"^Shared.astype: parameters are real numbers, not {dtype}$"):
            net.astype(dtype)


def test_gradients_of_frozen_parameters_are_forgotten_too():
    layer = nn.Linear(2, 1)
    layer(tg.Tensor([[1.0, 2.0]])).sum().backward()
    layer.weight.requires_grad = False
    layer.zero_grad()
    assert layer.weight.grad is None and layer.bias.grad is None


# ---- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, tg.Tensor, nn.Buffer, nn.Parameter, np.ndarray.tolist])
def test_loaded_values_are_copies_of_the_dtype_they_replace(kind):
    layer = nn.Linear(2, 2, bias=False)
    array = np.array([[1.0, 2.0], [3.0, 4.0]], np.float64 if kind is np.ndarray.tolist else np.float32)
    value = kind(array)
    weight = layer.weight
    assert layer.load_state_dict({"weight": value}) == ([], [])
    assert layer.weight is weight and weight.dtype == np.float32 and weight.requires_grad
    with tg.no_grad():
        weight += 1
    if isinstance(value, tg.Tensor):
        np.testing.assert_array_equal(value.detach().numpy(), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])
    array[:] = 9
    np.testing.assert_array_equal(weight.numpy(), [[2, 3], [4, 5]])


def test_a_state_of_many_bytes_is_loaded_as_real_numbers_of_the_layer():
    layer = nn.Linear(1, 1).astype("float16")
    layer.load_state_dict({"weight": np.array([[0.1]]), "bias": np.array([3], np.int8)})
    assert layer.weight.dtype == layer.bias.dtype == np.float16
    assert layer.weight.item() == np.float16(0.1) and layer.bias.item() == 3


def test_the_counter_alone_may_be_missing():
    """Files older than PyTorch 0.4.1 have none; it stays as it is, and is not told as missing."""
    net = nn.Sequential(nn.BatchNorm1d(2))
    net(tg.Tensor([[1.0, 2.0], [3.0, 5.0]]))
    state = net.state_dict()
    del state["0.num_batches_tracked"]
    assert net.load_state_dict(state) == ([], [])
    assert net.state_dict()["0.num_batches_tracked"] == 1
    del state["0.running_var"]
    with pytest.raises(
        KeyError, match=r"missing \['0.running_var'\], unexpected \[\]; strict=False loads what"
    ):
        net.load_state_dict(state)
    assert net.load_state_dict(state, strict=False) == (["0.running_var"], [])


REFUSED = {
    "Linear.load_state_dict: needs a mapping of names to arrays, got a list": [1],
    "Linear.load_state_dict: shapes differ: weight: (3, 2) for (2, 3); bias: () for (2,)": {
        "weight": np.ones((3, 2)), "bias": np.ones(()),
    },
    "Linear.load_state_dict: shapes differ: bias: (1,) for (2,)": {  # before what is no number
        "weight": "x", "bias": np.ones(1),
    },
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_a_state_that_does_not_fit_is_told_whole(message):
    with pytest.raises((TypeError, ValueError)) as error:
        nn.Linear(3, 2).load_state_dict(REFUSED[message])
    assert str(error.value) == message


def test_each_value_that_is_no_number_is_named_once():
    layer = nn.BatchNorm1d(2)
    state = layer.state_dict() | {"num_batches_tracked": np.array(1.5), "bias": np.array(["a", "b"])}
    with pytest.raises(TypeError) as error:
        layer.load_state_dict(state)
    text = str(error.value)
    assert text.startswith("BatchNorm1d.load_state_dict: ")
    assert text.count("num_batches_tracked") == 1 and "; " in text
    assert "num_batches_tracked: float64 numbers would be cut to int64" in text and "bias: " in text


# ---- what may take a name ------------------------------------------------------------------------


def test_what_may_take_the_name_of_a_buffer_or_a_module():
    """As in torch."""
    norm, net = nn.BatchNorm1d(2), nn.Sequential(nn.ReLU())
    trained = nn.Parameter([1.0, 2.0])
    norm.running_mean = trained
    assert norm.running_mean is trained and dict(norm.named_parameters())["running_mean"] is trained
    kept = nn.Buffer([1.0, 1.0])
    norm.running_var = kept
    assert norm.running_var is kept
    norm.running_var = part = nn.ReLU()
    assert norm.running_var is part and dict(norm.named_children()) == {"running_var": part}
    setattr(net, "0", trained)
    assert dict(net.named_parameters()) == {"0": trained} and list(net.children()) == []


def test_a_tensor_that_becomes_a_buffer_keeps_its_array():
    norm, x = nn.BatchNorm1d(2), tg.Tensor(np.array([1.0, 2.0]))
    norm.running_mean = x
    assert norm.running_mean._data is x._data and not norm.running_mean.requires_grad


def test_a_name_that_was_deleted_is_free():
    net = nn.Sequential(nn.ReLU())
    delattr(net, "0")
    setattr(net, "0", 3)
    norm = nn.BatchNorm1d(2)
    del norm.running_mean
    norm.running_mean = [0.0]
    assert norm.running_mean == [0.0]


def test_a_registered_name_is_a_parameters_before_there_is_one():
    module = nn.Module()
    module.register_parameter("scale", None)
    assert module.scale is None and module.state_dict() == {}
    with pytest.raises(TypeError, match=r"^Module: scale is the name of a Parameter, and a Tensor cannot"):
        module.scale = tg.Tensor([1.0])
    module.register_parameter("shift", nn.Parameter([2.0]))
    assert list(module.state_dict()) == ["shift"]


def test_a_parameter_has_the_dtype_and_the_freedom_that_are_asked_for():
    frozen = nn.Parameter([1.0, 2.0], requires_grad=False, dtype="float16")
    assert frozen.dtype == np.float16 and not frozen.requires_grad
    assert nn.Parameter([1.0], dtype="float64").dtype == np.float64 and nn.Parameter([1.0]).requires_grad


def test_a_module_without_forward_says_its_name():
    class Part(nn.Module):
        pass

    with pytest.raises(TypeError, match=r"^Part defines no forward\(\.\.\.\)$"):
        Part()(1)


def test_hooks_are_of_one_module_also_where_another_has_some():
    first, second = nn.Identity(), nn.Identity()
    calls = []
    for module in (first, second):
        module.register_forward_hook(lambda m, i, y: calls.append(m))
        module.register_forward_pre_hook(lambda m, i: calls.append(m))
    first(1)
    assert len(calls) == 2 and all(m is first for m in calls)


def test_a_list_that_a_hook_returns_is_one_input():
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda m, inputs: [1, 2])
    assert layer(0) == [1, 2]


# ---- containers ----------------------------------------------------------------------------------


def test_a_slice_is_a_container_of_its_kind():
    values = nn.ParameterList([np.full(n, 1.0) for n in (1, 2, 3)])
    cut = values[1:]
    assert type(cut) is nn.ParameterList and list(cut) == list(values)[1:] and values[-1].shape == (3,)
    named = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh(), "c": nn.ReLU()})
    back = named[::-1]
    assert list(back) == list(named)[::-1] and [n for n, _ in back.named_children()] == ["c", "b", "a"]
    assert type(nn.ModuleList([nn.ReLU()])[:0]) is nn.ModuleList


def test_what_is_appended_to_named_parts_has_its_place_for_a_name():
    """As in torch; what is inserted numbers all anew."""
    net = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh()}).append(nn.Sigmoid())
    assert [name for name, _ in net.named_children()] == ["a", "b", "2"]
    net.insert(-1, nn.SiLU())
    assert [(n, type(m)) for n, m in net.named_children()] == [
        ("0", nn.ReLU), ("1", nn.Tanh), ("2", nn.SiLU), ("3", nn.Sigmoid),
    ]  # fmt: skip
    joined = net + [nn.GELU(), nn.ELU(), nn.ReLU()]
    assert [type(m) for m in joined][4:] == [nn.GELU, nn.ELU, nn.ReLU] and len(joined) == 7


def test_parameters_of_a_list_stay_what_they_are():
    frozen = nn.Parameter([1.0], requires_grad=False)
    parts = nn.ParameterList([frozen, tg.Tensor([2.0])])
    assert parts[0] is frozen and not parts[0].requires_grad
    assert type(parts[1]) is nn.Parameter and parts[1].requires_grad
    parts[-1] = frozen
    assert parts[1] is frozen


def test_an_index_of_a_part_may_be_numpys_but_no_fraction():
    parts = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    parts[np.int64(1)] = last = nn.SiLU()
    assert parts[np.int64(-1)] is last
    with pytest.raises(TypeError, match=r"^ModuleList: the index of one part must be an integer, got 1\.0$"):
        parts[1.0] = last


def test_a_dictionary_of_parts_takes_another_and_gives_what_it_pops():
    relu, tanh, new = nn.ReLU(), nn.Tanh(), nn.SiLU()
    parts = nn.ModuleDict(nn.ModuleDict({"a": relu, "b": tanh}))
    assert parts["a"] is relu and parts.pop("a") is relu and list(parts) == ["b"]
    parts["b"] = new
    assert dict(parts.items()) == {"b": new} and parts.update([]) is None
    parts["c"] = relu
    parts.clear()
    assert list(parts) == []


def test_refusals_of_containers_name_what_was_given():
    with pytest.raises(TypeError, match=r"^Sequential: names of parts are strings, got b'a'$"):
        nn.Sequential({b"a": nn.ReLU()})
    with pytest.raises(KeyError, match=r"Sequential: 'a\.b' cannot name a part: it is empty, has a dot, or"):
        nn.Sequential({"a.b": nn.ReLU()})
    with pytest.raises(TypeError, match=r"^ModuleList: parts must be Modules, got 'relu'$"):
        nn.ModuleList(["relu"])
    with pytest.raises(TypeError, match=r"^Sequential: parts must be Modules, got \{'a': ReLU"):
        nn.Sequential({"a": nn.ReLU()}, nn.ReLU())
