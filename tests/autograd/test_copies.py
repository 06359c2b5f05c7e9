"""copy, deepcopy and pickle of Tensors, beside PyTorch's."""

import copy
import io
import pickle

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, nn


def reloaded(x):
    return pickle.loads(pickle.dumps(x))


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": reloaded}
CLASSES = [tg.Tensor, nn.Parameter, nn.Buffer]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_leaves_are_copied_as_in_torch(how, make, requires_grad):
    torch = pytest.importorskip("torch")
    data = np.array([[1.0, 2.0]], np.float32)
    x = make(data)
    x.requires_grad = requires_grad
    theirs = torch.nn.Parameter(torch.tensor(data)) if make is nn.Parameter else torch.tensor(data)
    theirs.requires_grad = requires_grad
    if requires_grad:
        (x * x).sum().backward(), (theirs * theirs).sum().backward()
    twin, model = COPIES[how](x), COPIES[how](theirs)
    assert type(twin) is make and twin is not x and twin.is_leaf
    assert twin.requires_grad == model.requires_grad == requires_grad
    assert (twin.grad is None) == (model.grad is None)
    np.testing.assert_array_equal(twin.detach().numpy(), data)
    shares = np.shares_memory(backend.to_numpy(twin._data), backend.to_numpy(x._data))
    if backend.BACKEND == "numpy":
        assert shares == (model.data_ptr() == theirs.data_ptr()) == (how == "copy")
    if requires_grad:  # a leaf of its own
        twin.zero_grad()
        (3 * twin).sum().backward()
        assert twin.grad.numpy().tolist() == [[3, 3]] and x.grad.numpy().tolist() == [[2, 4]]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("length", [1, 20_000])
def test_a_result_is_refused_however_long_its_history(how, length):
    x = tg.Tensor([1.0], requires_grad=True)
    for _ in range(length):
        x = x + 1.0
    for holder in (x, [x], {"x": x}):
        if how == "copy" and holder is not x:
            continue
        with pytest.raises(RuntimeError, match=r"made by Add would lose its graph .* call \.detach\(\)"):
            COPIES[how](holder)
    assert COPIES[how](x.detach()).item() == 1.0 + length


def test_a_module_that_holds_a_result_is_refused():
    layer = nn.Linear(2, 2)
    layer.last = layer(tg.Tensor([[1.0, 2.0]]))
    for how in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match="made by Linear would lose its graph"):
            how(layer)
    layer.last = layer.last.detach()
    copy.deepcopy(layer)


def test_gradients_and_frozen_tensors():
    x = tg.Tensor([2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match=r"copy\.deepcopy: .* would lose its graph"):
        copy.deepcopy(x)  # its gradient is a result
    p = nn.Parameter([2.0])
    (p**3).sum().backward(create_graph=True)
    assert copy.deepcopy(p).grad is None
    y = tg.Tensor([2.0], requires_grad=True)
    (y * y).sum().backward()
    y.requires_grad = False
    twin = copy.deepcopy(y)
    assert not twin.requires_grad and twin.grad.item() == 4.0 and twin.grad is not y.grad


def test_one_tensor_in_two_places_stays_one():
    x = tg.Tensor([1.0], requires_grad=True)
    for twin in (copy.deepcopy([x, x]), reloaded([x, x])):
        assert twin[0] is twin[1] is not x


class Tagged(nn.Parameter):
    """A class of the user's, which has attributes."""


@pytest.mark.parametrize("how", ["copy", "pickle"])
def test_attributes_of_a_users_class_come_along(how):
    x = Tagged([1.0])
    x.tags = ["a"]
    twin = COPIES[how](x)
    assert type(twin) is Tagged and twin.tags == ["a"] and (twin.tags is x.tags) == (how == "copy")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
def test_pickles_of_every_protocol_and_dtype(protocol, dtype):
    for data in (np.ones((2, 0, 3), dtype), np.array(1, dtype), np.arange(6).reshape(2, 3).T.astype(dtype)):
        twin = pickle.loads(pickle.dumps(tg.Tensor(data), protocol))
        assert twin.dtype == dtype and isinstance(twin._data, backend.xp.ndarray)
        np.testing.assert_array_equal(twin.numpy(), data)


def test_a_pickle_is_read_on_another_backend():
    """It holds an array of the host."""
    found = []

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(module.partition(".")[0])
            return super().find_class(module, name)

    Reader(io.BytesIO(pickle.dumps(nn.Parameter([1.0])))).load()
    assert set(found) <= {"numpy", "tinygrad_notes", "_codecs"}
