"""Every deliberately wrong backward is caught, twice; every shipped one beside it passes."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.verify.wrong import CATALOGUE, Standardize, check

every_entry = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda e: e.name)


def test_the_catalogue_names_each_mistake_once():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names) >= 40


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


def test_the_normalization_of_the_catalogue_is_standard():
    x = np.random.default_rng(0).standard_normal((5, 2))
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 0.125)
    np.testing.assert_allclose(Standardize.apply(tg.Tensor(x)).numpy(), expected, rtol=1e-13)
