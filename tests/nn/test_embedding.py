"""The layer of embeddings: torch's arguments, start, keys and training."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

IDS = np.array([[1, 0, 1], [3, 1, 0]])


def test_it_starts_normal_with_a_padding_row_of_zeros():
    layer = nn.Embedding(400, 50, padding_idx=-1)
    weight = layer.weight.detach().numpy()
    assert layer.padding_idx == 399 and weight.dtype == np.float32 and weight.shape == (400, 50)
    assert not weight[399].any() and weight[:399].all()
    assert weight[:399].std() == pytest.approx(1, rel=0.02)  # 19,950 draws: one sigma is 0.5 %
    assert abs(weight[:399].mean()) < 0.04
    assert list(layer.state_dict()) == ["weight"]
    assert repr(layer) == "Embedding(400, 50, padding_idx=399)"
    assert repr(nn.Embedding(3, 2)) == "Embedding(3, 2)"


def test_pretrained_rows_are_frozen_unless_asked():
    rows = np.random.default_rng(0).standard_normal((4, 3))
    layer = nn.Embedding.from_pretrained(rows)
    assert (layer.num_embeddings, layer.embedding_dim, layer.weight.dtype) == (4, 3, np.float64)
    np.testing.assert_array_equal(layer(IDS).numpy(), rows[IDS])
    assert not layer(IDS).requires_grad
    trained = nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=1)
    trained(IDS).sum().backward()
    np.testing.assert_array_equal(trained.weight.grad.numpy()[:, 0], [2, 0, 0, 1])
    np.testing.assert_array_equal(trained(IDS).detach().numpy(), rows[IDS])  # also the padding's row
    tg.optim.SGD([trained.weight], lr=1.0).step()
    np.testing.assert_array_equal(layer.weight.numpy(), rows)


def test_a_pretrained_table_draws_nothing():
    tg.manual_seed(1)
    expected = nn.Linear(2, 2).state_dict()["weight"]
    tg.manual_seed(1)
    nn.Embedding.from_pretrained([[0.0, 1.0]])
    np.testing.assert_array_equal(nn.Linear(2, 2).state_dict()["weight"], expected)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: nn.Embedding(0, 3), "num_embeddings must be a positive integer, got 0"),
    (lambda: nn.Embedding(3, 2.5), "embedding_dim must be a positive integer, got 2.5"),
    (lambda: nn.Embedding(3, 2, 3), "Embedding: padding_idx 3 names none of 3 rows"),
    (lambda: nn.Embedding(3, 2, 1.5), "Embedding: padding_idx must be an integer, got 1.5"),
    (lambda: nn.Embedding(3, 2, _weight=np.zeros((2, 3))), r"the table must be .* = \(3, 2\), got \(2, 3\)"),
    (lambda: nn.Embedding.from_pretrained(np.zeros(3)), r"from_pretrained: embeddings must be .*\(3,\)"),
    (lambda: nn.Embedding.from_pretrained([[1, 2]]), "from_pretrained: embeddings must be real numbers"),
])  # fmt: skip
def test_wrong_arguments(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize("kind", [np.asarray, tg.Tensor, nn.Parameter])
def test_a_table_that_is_handed_in_is_a_parameter(kind):
    layer = nn.Embedding(3, 2, _weight=kind(np.ones((3, 2))))
    assert list(layer.state_dict()) == ["weight"] and layer.weight.requires_grad


@pytest.mark.parametrize("padding_idx", [None, 1, -4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_of_adam_are_torchs(padding_idx, dtype):
    """A sentence classifier: embedding, mean over time, linear; padded tokens in the loss as well."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    random = np.random.default_rng(0)
    ids, labels = random.integers(0, 4, (6, 5)), random.integers(0, 3, (6, 5))
    ours = nn.Sequential(nn.Embedding(4, 8, padding_idx), nn.Linear(8, 3)).astype(dtype)
    theirs = torch.nn.Sequential(torch.nn.Embedding(4, 8, padding_idx), torch.nn.Linear(8, 3)).to(
        getattr(torch, dtype)
    )
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()}, strict=True)
    optimizer = tg.optim.Adam(ours.parameters(), lr=0.1)
    their_optimizer = torch.optim.Adam(theirs.parameters(), lr=0.1)
    for _ in range(5):
        loss = F.cross_entropy(ours(ids).swapaxes(1, 2), labels, ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected = torch.nn.functional.cross_entropy(
            theirs(torch.tensor(ids)).transpose(1, 2), torch.tensor(labels), ignore_index=0)  # fmt: skip
        their_optimizer.zero_grad()
        expected.backward()
        their_optimizer.step()
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=tolerance, atol=tolerance)
    back = nn.Sequential(nn.Embedding(4, 8, padding_idx), nn.Linear(8, 3))
    back.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    if padding_idx is not None:
        assert not ours.state_dict()["0.weight"][padding_idx].any()


def test_argument_names_are_torchs():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    import inspect

    for ours, theirs in ((nn.Embedding, torch.nn.Embedding),
                         (nn.Embedding.from_pretrained, torch.nn.Embedding.from_pretrained)):  # fmt: skip
        names = [n for n in inspect.signature(ours).parameters if not n.startswith("_")]
        assert names == list(inspect.signature(theirs).parameters)[: len(names)]


def test_a_parameter_that_is_handed_in_is_the_table_itself():
    """So that two layers may share it, and a frozen one stays frozen."""
    weight = nn.Parameter(np.ones((3, 2)), requires_grad=False)
    layer = nn.Embedding(3, 2, _weight=weight)
    assert layer.weight is weight and not layer.weight.requires_grad


def test_pretrained_rows_are_a_copy_in_a_layer_of_its_class():
    class Words(nn.Embedding):
        pass

    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    layer = Words.from_pretrained(rows, True, -1)
    assert type(layer) is Words and layer.padding_idx == 2
    rows[:] = 0
    np.testing.assert_array_equal(layer.weight.numpy(), [[1, 2], [3, 4], [5, 6]])
    with pytest.raises(
        ValueError, match=r"^Embedding\.from_pretrained: embeddings must be \(V, D\), got \(3,\)"
    ):
        Words.from_pretrained(np.zeros(3))
