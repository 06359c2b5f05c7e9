"""Mistakes in convolution and pooling."""

from __future__ import annotations

from ...ops import convolution, pooling
from .entry import Wrong, entry, normal

UNIT = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
WINDOW = {"kernel": (2, 2), **UNIT}
MEANS = {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0), "ceil_mode": False,
         "count_include_pad": True}  # fmt: skip
IMAGE, KERNEL = (2, 1, 3, 3), (2, 1, 2, 2)
CONV = {**UNIT, "groups": 1}


def _overwritten(xp, gy, w, x_shape, *, stride, padding, dilation, groups):
    gx = xp.zeros(x_shape, gy.dtype)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            part = xp.einsum("oc,nohw->nchw", w[:, :, i, j], gy)
            gx[:, :, i : i + gy.shape[2], j : j + gy.shape[3]] = part
    return gx


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    c, p = convolution.Conv2d, pooling
    draw = normal(IMAGE, KERNEL, (2,))

    def flipped(xp, gy, w, x_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_input_grad(gy, xp.flip(w, axis=(2, 3)), x_shape, stride, padding, dilation, groups)

    def averaged(xp, gy, x, w_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_weight_grad(gy, x, w_shape, stride, padding, dilation, groups) / x.shape[0]

    def whole_window(xp, gy, x_shape, *, kernel, stride, padding):
        return xp.avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, False, True)

    def undivided(xp, gy, x_shape, *, kernel, stride, padding, ceil_mode, count_include_pad):
        return 4 * xp.avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad)

    def first_place(xp, gy, index, x_shape, *, kernel, stride, padding, dilation):
        return xp.max_pool2d_scatter(gy, index * 0, x_shape, kernel, stride, padding, dilation)

    return [
        entry("conv2d: the kernel flipped in the input's gradient", c, draw,
               {"backward_x": flipped}, **CONV),
        entry("conv2d: col2im that assigns instead of adds", c, draw, {"backward_x": _overwritten}, **CONV),
        entry("conv2d: the mean over the batch, not the sum", c, draw, {"backward_w": averaged}, **CONV),
        entry("conv2d: bias without the sum over the batch", c, draw,
               {"backward_b": lambda xp, gy: xp.sum(gy[0], axis=(1, 2))}, **CONV),
        entry("max pooling: the whole window", p.MaxPool2d, normal(IMAGE), {"backward": whole_window},
               ceil_mode=False, **WINDOW),
        entry("max pooling: always the first place", p.MaxPool2d, normal(IMAGE), {"backward": first_place},
               ceil_mode=False, **WINDOW),
        entry("mean pooling: not divided", p.AvgPool2d, normal(IMAGE), {"backward": undivided}, **MEANS),
    ]  # fmt: skip
