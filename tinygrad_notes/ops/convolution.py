"""Two-dimensional convolution (cross-correlation: the kernel is not flipped) and its adjoints.

    y[n,o,i,j] = b[o] + Σ_{c,p,q} w[o,c,p,q] · x[n, c, i·s + p·d − pad, j·s + q·d − pad]

y is linear in x and linear in w, so each gradient is the adjoint of one linear map: L = Σ gy·y gives

    ∂L/∂x[n,c,k,l] = Σ gy[n,o,i,j] w[o,c,p,q]  over all (i,p) with i·s + p·d − pad = k, same for (j,q,l)
    ∂L/∂w[o,c,p,q] = Σ_{n,i,j} gy[n,o,i,j] x[n, c, i·s + p·d − pad, j·s + q·d − pad]
    ∂L/∂b[o]       = Σ_{n,i,j} gy[n,o,i,j]

The three maps are bilinear forms of one trilinear sum T(x, w, g); each one's derivatives are the other
two, so the trio is closed under differentiation of any order. How they are computed (columns and one
matrix product, Winograd, ...) is the kernels' business; backend/kernels/plain/ has the definition.
"""

from __future__ import annotations

from ..autograd import Function, Tensor


class Conv2d(Function):
    """y = w ⋆ x + b.   x (N, C, H, W); w (O, C/groups, kh, kw); b (O,) or None; y (N, O, OH, OW)."""

    def forward(xp, x, w, b, *, stride, padding, dilation, groups):
        return xp.conv2d(x, w, b, stride, padding, dilation, groups)

    def backward_x(xp, gy, w, x_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_input_grad(gy, w, x_shape, stride, padding, dilation, groups)

    def backward_w(xp, gy, x, w_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_weight_grad(gy, x, w_shape, stride, padding, dilation, groups)

    def backward_b(xp, gy):
        return xp.sum(gy, axis=(0, 2, 3))


class Conv2dInputGrad(Function):
    """∂L/∂x of Conv2d as a map of g = ∂L/∂y and w: the transposed convolution."""

    def forward(xp, g, w, *, x_shape, stride, padding, dilation, groups):
        return xp.conv2d_input_grad(g, w, x_shape, stride, padding, dilation, groups)

    def backward_g(xp, gy, w, *, stride, padding, dilation, groups):
        return xp.conv2d(gy, w, None, stride, padding, dilation, groups)

    def backward_w(xp, gy, g, w_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_weight_grad(g, gy, w_shape, stride, padding, dilation, groups)


class Conv2dWeightGrad(Function):
    """∂L/∂w of Conv2d as a map of g = ∂L/∂y and x."""

    def forward(xp, g, x, *, w_shape, stride, padding, dilation, groups):
        return xp.conv2d_weight_grad(g, x, w_shape, stride, padding, dilation, groups)

    def backward_g(xp, gy, x, *, stride, padding, dilation, groups):
        return xp.conv2d(x, gy, None, stride, padding, dilation, groups)

    def backward_x(xp, gy, g, x_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_input_grad(g, gy, x_shape, stride, padding, dilation, groups)


def conv2d(x, w, b, stride, padding, dilation, groups) -> Tensor:
    """Convolution; see the module's text. stride, padding and dilation are (vertical, horizontal)."""
    return Conv2d.apply(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv2d_input_grad(gy, w, x_shape, stride, padding, dilation, groups) -> Tensor:
    """The adjoint of `conv2d` in x; as a forward operation, the transposed convolution."""
    return Conv2dInputGrad.apply(
        gy, w, x_shape=tuple(x_shape), stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def conv2d_weight_grad(gy, x, w_shape, stride, padding, dilation, groups) -> Tensor:
    """The adjoint of `conv2d` in w: summed over the batch and all positions."""
    return Conv2dWeightGrad.apply(
        gy, x, w_shape=tuple(w_shape), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
