"""Every deliberately wrong backward is caught, twice; every shipped one beside it passes."""

from __future__ import annotations

import pkgutil

import pytest

from tinygrad_notes.ops import alignment, attention, linear, loss, normalization, reduction, response
from tinygrad_notes.verify import wrong as catalogue
from tinygrad_notes.verify.wrong import CATALOGUE, check

every_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda e: e.name)


def test_the_catalogue_names_each_mistake_once():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names) >= 90
    files = {file.name for file in pkgutil.iter_modules(catalogue.__path__)} - {"entry"}
    assert {file.__name__.rpartition(".")[2] for file in catalogue.FILES} == files


def test_the_operations_with_the_longest_rules_are_in_it():
    """As they are shipped, not a likeness of them."""
    n = normalization
    assert {entry.right for entry in CATALOGUE} >= {
        n.BatchNorm, n.BatchNormFixed, n.LayerNorm, response.LocalResponseNorm, loss.CrossEntropy,
        loss.CrossEntropyOfClasses, loss.BinaryCrossEntropy, linear.Einsum, reduction.Std,
        attention.Attention, alignment.AdditiveScore, n.RMSNorm,
    }  # fmt: skip
    assert all(entry.right.__module__.startswith("tinygrad_notes.ops.") for entry in CATALOGUE)


@every_entry
def test_gradcheck_tells_right_from_wrong(entry):
    right = check(entry.right, entry)
    assert right, right.text
    wrong = check(entry.wrong, entry)
    assert not wrong
    assert wrong.diagnosis


@every_entry
def test_the_proof_tells_right_from_wrong(entry):
    proof = pytest.importorskip("tinygrad_notes.verify.proof", exc_type=ImportError)
    right = proof.prove_operation(entry.right, entry.draw, points=2, **entry.attributes)
    assert right, right.text
    wrong = proof.prove_operation(entry.wrong, entry.draw, points=1, **entry.attributes)
    assert not wrong
    assert wrong.residual > 1e-4


@every_entry
def test_only_the_named_rules_differ(entry):
    assert entry.wrong.inputs == entry.right.inputs
    assert entry.wrong.forward is entry.right.forward
    assert entry.wrong is not entry.right
