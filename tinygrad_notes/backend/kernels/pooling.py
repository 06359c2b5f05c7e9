"""Tuned NumPy kernels (first version: the plain ones)."""

import numpy as np

from . import plain


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    return plain.max_pool2d(np, x, kernel, stride, padding, dilation, ceil_mode)


def max_pool2d_scatter(gy, index, x_shape, kernel, stride, padding, dilation):
    return plain.max_pool2d_scatter(np, gy, index, x_shape, kernel, stride, padding, dilation)


def max_pool2d_gather(x, index, kernel, stride, padding, dilation):
    return plain.max_pool2d_gather(np, x, index, kernel, stride, padding, dilation)


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad):
    return plain.avg_pool2d(np, x, kernel, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad):
    return plain.avg_pool2d_adjoint(np, gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad)
