"""Deep learning to be read: reverse-mode autograd on NumPy or CuPy.

Reading order: autograd (Tensor, Function, the engine), ops (every rule beside its derivation), nn and
optim (parameters and their updates), data, models (the networks of the notes), train, verify.
"""

from . import loading  # isort: skip  # the first, for it guards the others
from . import data, models, nn, optim, train
from .autograd import (
    AnomalyError,
    CaptureError,
    Function,
    Tensor,
    capture,
    detect_anomaly,
    enable_grad,
    grad,
    is_grad_enabled,
    no_grad,
)
from .autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from .backend import BackendError, manual_seed, set_backend, set_device, to_numpy, use_backend
from .backend.precision import (
    get_float32_conv_precision,
    get_float32_matmul_precision,
    set_float32_conv_precision,
    set_float32_matmul_precision,
)
from .checkpoint import load, save
from .ops.accumulation import cumsum, norm, prod
from .ops.activation import (
    elu,
    erf,
    gelu,
    leaky_relu,
    log1p,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)  # fmt: skip
from .ops.arithmetic import (
    add,
    astype,
    cos,
    divide,
    exp,
    log,
    multiply,
    negative,
    power,
    sin,
    sqrt,
    square,
    subtract,
)  # fmt: skip
from .ops.comparison import (
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    invert,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)  # fmt: skip
from .ops.creation import arange, full, ones, ones_like, tensor, zeros, zeros_like
from .ops.linear import einsum, matmul
from .ops.piecewise import (
    abs,
    ceil,
    clip,
    floor,
    isfinite,
    isnan,
    maximum,
    minimum,
    round,
    sign,
    where,
)  # fmt: skip
from .ops.reduction import (
    all,
    any,
    argmax,
    argmin,
    broadcast_to,
    logsumexp,
    max,
    mean,
    min,
    std,
    sum,
    var,
)  # fmt: skip
from .ops.selection import argsort, masked_fill, sort, take_along_axis, topk, tril, triu
from .ops.shape import (
    concat,
    concatenate,
    expand_dims,
    flatten,
    flip,
    getitem,
    moveaxis,
    pad,
    repeat,
    reshape,
    scatter_add,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)  # fmt: skip

__version__ = "0.1.0"


def __dir__() -> list[str]:
    """The public names. The modules that they come from can be imported all the same."""
    public = {"data", "models", "nn", "ops", "optim", "train"}
    return [name for name, value in globals().items()
            if not name.startswith("_") and (type(value) is not type(nn) or name in public)]  # fmt: skip
