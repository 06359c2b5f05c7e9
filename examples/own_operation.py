"""An operation of your own: forward and backward by hand, checked by differences and proved on symbols."""

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes.verify.proof import prove_operation


class Softsign(tg.Function):
    """y = x / (1 + |x|),  y′ = 1 / (1 + |x|)² = (1 − |y|)²."""

    def forward(xp, x):
        return x / (1 + xp.abs(x))

    def backward(xp, gy, y):  # asks for y by name: that is all the graph keeps
        return gy * (1 - xp.abs(y)) ** 2


rng = np.random.default_rng(0)
tg.gradcheck(Softsign.apply, rng.standard_normal((3, 4)))
print("first and second derivatives agree with finite differences")

proof = prove_operation(Softsign, lambda rng: [rng.standard_normal(3)])
assert proof
print(f"and the backward is SymPy's derivative of the forward: largest difference {proof.residual:.0e}")
