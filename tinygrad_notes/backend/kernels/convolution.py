"""Tuned NumPy kernels (first version: the plain ones)."""

import numpy as np

from . import plain


def im2col(x, kernel, stride, padding, dilation):
    return plain.im2col(np, x, kernel, stride, padding, dilation)


def col2im(cols, x_shape, stride, padding, dilation):
    return plain.col2im(np, cols, x_shape, stride, padding, dilation)


def conv2d(x, w, b, stride, padding, dilation, groups, algorithm=None):
    return plain.conv2d(np, x, w, b, stride, padding, dilation, groups)


def conv2d_input_grad(gy, w, x_shape, stride, padding, dilation, groups, algorithm=None):
    return plain.conv2d_input_grad(np, gy, w, x_shape, stride, padding, dilation, groups)


def conv2d_weight_grad(gy, x, w_shape, stride, padding, dilation, groups, algorithm=None):
    return plain.conv2d_weight_grad(np, gy, x, w_shape, stride, padding, dilation, groups)
