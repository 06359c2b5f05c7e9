"""The texts of chains and sums compile as CUDA C: NVRTC reads what rules of every kind and type generate."""

import re
import sys

import nvrtc
import pytest
from test_lazy import REAL_RULES, REALS, WHOLE, WHOLE_RULES, arrays

C_NAMES = {  # what CuPy calls the types of parameters
    "bool": "bool", "int8": "signed char", "uint8": "unsigned char", "int32": "int", "int64": "long long",
    "uint64": "unsigned long long", "float16": "float16", "float32": "float", "float64": "double",
}  # fmt: skip
HEAD = """
#include <cuda_fp16.h>
class float16 {  // the constructors and the conversion of CuPy's class of this name
    half data_;
public:
    __device__ float16() {}
    __device__ float16(float v) : data_(v) {}
    explicit __device__ float16(bool v) : data_(float(v)) {}
    explicit __device__ float16(double v) : data_(v) {}
    explicit __device__ float16(int v) : data_(v) {}
    explicit __device__ float16(long long v) : data_(v) {}
    __device__ operator float() const { return float(data_); }
};
"""


@pytest.fixture
def made(gpu, monkeypatch):
    """The arguments of every kernel that is made."""
    if nvrtc.missing():
        pytest.skip(nvrtc.missing())
    texts = sys.modules["tinygrad_notes.backend.gpu.lazy_texts"]
    seen = []
    for kind in ("ElementwiseKernel", "ReductionKernel"):
        plain = getattr(texts.cupy, kind)
        monkeypatch.setattr(
            texts.cupy, kind,
            lambda *args, kind=kind, plain=plain, **named: seen.append((kind, args)) or plain(*args, **named),
        )  # fmt: skip
    for cache in (texts.elementwise_kernel, texts.reduction_kernel):
        cache.cache_clear()
    return seen


def source(index, kind, ins, outs, body):
    """A __global__ function with the parameters and the text of a kernel, as CuPy wraps them."""
    arguments, loads = [], []
    for text, constant in ((ins, "const "), (outs, "")):
        for part in filter(None, text.split(", ")):
            dtype, name = part.split()
            c_name = constant + C_NAMES[dtype]
            if re.fullmatch(r"[st]\d+", name):
                arguments.append(f"{c_name} {name}")
            else:
                arguments.append(f"{c_name} *raw_{name}")
                loads.append(f"{c_name} &{name} = raw_{name}[i];")
    lines = "\n".join([*loads, body])
    return (f'extern "C" __global__ void {kind}_{index}({", ".join(arguments)}) {{\n'
            f"long long i = blockIdx.x * blockDim.x + threadIdx.x;\n{lines}\n}}\n")  # fmt: skip


def function(index, kind, args):
    if kind == "ElementwiseKernel":
        ins, outs, body, _ = args
        return source(index, kind, ins, outs, body)
    ins, outs, mapped, joined, post, identity, _ = args
    wide = "double3" if "double3" in mapped else re.match(r"\((.*?)\)", mapped)[1]
    body = f"{wide} a = {identity};\n{wide} b = {mapped};\na = {joined};\n{post};"
    return source(index, kind, ins, outs, body)


@pytest.mark.parametrize("dtype", [*REALS, *WHOLE, "bool"])
def test_every_text_compiles(gpu, made, dtype):
    rules = REAL_RULES if dtype in REALS else WHOLE_RULES
    for name, rule in rules.items():
        if dtype == "bool" and name in ("sums and products", "functions"):
            continue  # NumPy has no difference and no sign of truths
        gpu.read(rule)(None, *(gpu.from_host(x) for x in arrays(dtype)))
    assert len(made) > 4
    text = HEAD + "\n".join(function(i, kind, args) for i, (kind, args) in enumerate(made))
    assert nvrtc.compiled(text, "sm_80").cubin
