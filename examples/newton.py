"""Newton's method: second derivatives find the minimum of Rosenbrock's valley in a few steps.

f(x, y) = (1 − x)² + 100 (y − x²)²,  x ← x − H⁻¹ g
"""

import numpy as np

import tinygrad_notes as tg


def rosenbrock(v):
    return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2


def gradient_and_hessian(v):
    """The Hessian row by row: the gradient is differentiated once more."""
    (g,) = tg.grad(rosenbrock(v), v, create_graph=True)
    rows = [tg.grad(g[i], v, retain_graph=True)[0].numpy() for i in range(len(v))]
    return g.detach().numpy(), np.stack(rows)


point = np.array([-1.2, 1.0])
for step in range(8):
    v = tg.Tensor(point, requires_grad=True)
    g, hessian = gradient_and_hessian(v)
    print(f"step {step}  f = {rosenbrock(v).item():.3e}  at ({point[0]:.6f}, {point[1]:.6f})")
    point = point - np.linalg.solve(hessian, g)
