"""The stand-in's kernels of one's own compute as CUDA C does, and refuse what a device would not compile."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from loaded_standin import loaded, same

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def cp() -> Iterator[Any]:
    with loaded() as module:
        yield module


@pytest.fixture
def a(cp: Any) -> Any:
    return cp.asarray(HOST)


@pytest.fixture
def launches(cp: Any) -> Any:
    cp._standin.reset()
    return cp._standin.launches


# --- ElementwiseKernel ---


def value_of(cp: Any, text: str, x: Any = 2.0, n: int = 7) -> np.ndarray:
    """The double that a C expression of a float x and an int n gives."""
    kernel = cp.ElementwiseKernel("float32 x, int32 n", "float64 y", f"y = {text};", "value")
    return kernel(np.float32(x), n, size=1).get()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("-n / 2", -3),  # C cuts off
        ("-n % 4", -3),
        ("n / 2.0f", 3.5),
        ("n / 2 * 2.0", 6),
        ("x < n && !(n < x) || 0", 1),
        ("x > 1 ? x > 2 ? 1 : 2 : 3", 2),
        ("exp(x)", np.exp(np.float32(2))),
        ("exp((double)x)", np.exp(2.0)),
        ("(int)(x * 1.9f)", 3),
        ("int(2.9)", 2),
        ("(unsigned char)300", 44),
        ("(bool)0.5f + true", 2),
        ("0x7fffffff", 2**31 - 1),
        ("0xffffffff", 2**32 - 1),
        ("2147483647 + 1", -(2**31)),  # int wraps around
        ("2147483647LL + 1", 2**31),
        ("3000000000u + 3000000000u", (6_000_000_000) % 2**32),
        ("1ull << 40", 2.0**40),
        ("n >> 1 & 1 | 4 ^ 8", 13),
        ("~n", -8),
        ("1.5e1f + .5 + 1.", 16.5),
        ("0.1f", np.float32(0.1)),
        ("x / 3", np.float32(2) / np.float32(3)),
        ("(1.0f/0.0f)", np.inf),
        ("__int_as_float(0x7f800000)", np.inf),
        ("pow(x, 10.0f)", 1024),
        ("rsqrt(x)", 1 / np.sqrt(np.float32(2))),
        ("isnan(x / 0.0f * 0.0f)", 1),
        ("erf(1.0)", 0.8427007929497149),
        ("fma(x, 3.0f, 1.0f)", 7),
        ("fmax(x, 3.0f)", 3),
        ("(float16)0.1f", np.float16(0.1)),
        ("(float)(float16)0.1f * (float16)0.1f", np.float32(np.float16(0.1)) ** 2),
    ],
)
def test_expressions_follow_c(cp, text, expected):
    assert value_of(cp, text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("y = square(x);", "unknown function 'square'"),
        ("y = z;", "unknown name 'z'"),
        ("y = float32(x);", "unknown function 'float32'"),
        ("y = inf;", "unknown name 'inf'"),
        ("y = exp(n);", "cast to one floating type first"),
        ("y = pow(x, 2);", "cast to one floating type first"),
        ("y = exp(x, x);", "takes 1 arguments, 2 are given"),
        ("y = x +;", "expected at ';'"),
        ("y = x", ""),
        ("y = 1f;", "is not understood"),
        ("y = x ** 2;", "expected"),
        ("y = x % 2;", "% of floating numbers"),
        ("x = y;", "unknown name 'y'"),
        ("y = 1; x = 2;", "'x' cannot be assigned"),
        ("const float v = x;", "sets no"),
        ("const float v = x; v = 2; y = v;", "'v' cannot be assigned"),
        ("const float x = 2; y = x;", "declared twice"),
        ("const float32 v = x; y = v;", "no such type"),
        ("const long long long v = x; y = v;", "no such type"),
        ("y = x > 0 ? (float16)x : x;", "ambiguous"),
        ("if (x) y = x;", "expected"),
    ],
)
def test_texts_that_a_device_would_not_compile_are_refused(cp, a, text, why):
    kernel = cp.ElementwiseKernel("float32 x, int32 n", "float32 y", text, "refused")
    if why:
        with pytest.raises(ValueError, match=why.replace("'%'", "%")):
            kernel(a, 1)
    else:  # the last semicolon is CuPy's
        same(kernel(a, 1), HOST)


def test_statements_are_in_the_stated_types(cp, a):
    text = """const double v0 = x;
    const float v1 = exp(v0);  // computed as double, kept as float
    const int v2 = v1;
    const bool v3 = v2 > 7;
    y = v3 ? v1 : v0;
    z = v3;
    k = v2;"""
    kernel = cp.ElementwiseKernel("float32 x", "float32 y, bool z, int64 k", text, "typed")
    y, z, k = kernel(a)
    v1 = np.exp(HOST.astype(float)).astype(np.float32)
    v2 = v1.astype(np.int32)
    same(y, np.where(v2 > 7, v1, HOST))
    same(z, v2 > 7)
    same(k, v2.astype(np.int64))


def test_arguments_broadcast_and_scalars_take_the_parameters_type(cp, a, launches):
    kernel = cp.ElementwiseKernel("float32 x, float32 y, float32 s", "float32 z", "z = x * y + s;", "axpy")
    column = cp.asarray(np.float32([[10], [20]]))
    launches.clear()
    same(kernel(a, column, 0.1), HOST * np.float32([[10], [20]]) + np.float32(0.1))
    assert list(launches.values()) == [1] and next(iter(launches)).startswith(__file__)
    same(kernel(a[0], column, np.float64(1)), HOST[0] * np.float32([[10], [20]]) + 1)
    assert kernel(a[:0], a[:0], 1).shape == (0, 3)
    assert launches.total() == 2  # nothing to compute is no launch


def test_outputs_can_be_given(cp, a):
    kernel = cp.ElementwiseKernel("float32 x", "float32 y", "y = y + x;", "add_to")
    out = cp.ones((2, 3), dtype=cp.float32)
    assert kernel(a, out) is out
    same(out, HOST + 1)
    view = cp.zeros((3, 2), dtype=cp.float32)
    kernel(a, view.T)
    same(view, HOST.T)
    kernel(a, a)  # the same array in and out
    same(a, HOST * 2)
    with pytest.raises(ValueError, match="unknown name 'y'"):  # a new output has no value to start from
        kernel(a)


def test_an_input_is_a_reference_that_changes_with_the_output(cp, a):
    kernel = cp.ElementwiseKernel("float32 x", "float32 y, float32 z", "y = x + 1; z = x;", "reference")
    _, z = kernel(a, a, cp.zeros_like(a))
    same(z, HOST + 1)


def test_the_index_and_the_size(cp, a):
    count = cp.ElementwiseKernel("", "int64 y", "y = i * i;", "count")
    same(count(size=4), np.arange(4) ** 2)
    with pytest.raises(ValueError, match="Loop size is undecided"):
        count()
    with pytest.raises(ValueError, match="'size' can be used only if all"):
        cp.ElementwiseKernel("float32 x", "float32 y", "y = x;", "k")(a, size=6)
    tuples = cp.ElementwiseKernel("float32 x", "float32 y", "y = x;", "k", return_tuple=True)
    assert isinstance(tuples(a), tuple)
    assert cp.ElementwiseKernel("float32 x", "float32 y", "y = x;", "k", no_return=True)(a, a) is None


def test_arguments_of_elementwise_kernels_are_checked(cp, a):
    kernel = cp.ElementwiseKernel("float32 x", "float32 y", "y = x;", "copy")
    for error, why, args in [
        (TypeError, "Unsupported type", (HOST,)),
        (TypeError, "Unsupported type", ([1.0],)),
        (TypeError, "Wrong number of arguments", (a, a, a)),
        (TypeError, "Type is mismatched. x float64 float32", (a.astype(float),)),
        (TypeError, "Type is mismatched. y float64 float32", (a, cp.zeros((2, 3)))),
        (TypeError, "must be cupy.ndarray", (a, 1.0)),
        (ValueError, "Out shape is mismatched", (a, cp.zeros((1, 2, 3), np.float32)[:, :1])),
        (ValueError, "overlaps", (a[:, 1:], a[:, :2])),
    ]:
        with pytest.raises(error, match=why):
            kernel(*args)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ("raw float32 x", "raw is refused"),
        ("T x", "no NumPy type"),
        ("float x", "CuPy reads as float64"),
        ("int x", "CuPy reads as int64"),
        ("float32", "one NumPy type and one name"),
        ("float32 i", "'i' as a parameter name"),
        ("float32 x, float32 x", "occurs twice"),
        ("float32 y", "occurs twice"),
    ],
)
def test_parameters_that_are_refused(cp, parameters, why):
    with pytest.raises(ValueError, match=why):
        cp.ElementwiseKernel(parameters, "float32 y", "y = 1;", "k")
    with pytest.raises(ValueError, match="Invalid kernel name"):
        cp.ElementwiseKernel("float32 x", "float32 y", "y = 1;", "two words")


# --- ReductionKernel ---


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_along_axes(cp, axis, keepdims):
    host = np.random.default_rng(0).standard_normal((3, 4, 5), dtype=np.float32)
    kernel = cp.ReductionKernel("float32 x", "float32 y", "x * x", "a + b", "y = sqrt(a)", "0", "length")
    found = kernel(cp.asarray(host), axis=axis, keepdims=keepdims)
    same(found, np.sqrt(np.sum(host * host, axis=axis, keepdims=keepdims)))


def test_a_maximum_passes_nan_on(cp, launches):
    host = np.float32([[1, 5, 2], [-3, -1, -2], [0, np.nan, 9]])
    largest = cp.ReductionKernel(
        "float32 x", "float32 y", "x", "a > b || isnan(a) ? a : b", "y = a", "(-1.0f/0.0f)", "largest"
    )
    launches.clear()
    same(largest(cp.asarray(host), axis=1), np.max(host, axis=1))
    same(largest(cp.asarray(host[:2]), axis=0), np.max(host[:2], axis=0))
    assert launches.total() == 2


def test_a_reduction_computes_in_its_own_type(cp):
    host = np.full(5000, 1.0, np.float16)
    halves = ("float16 x", "float16 y", "(float)x", "a + b", "y = a / 5000.0f", "0", "mean")
    same(cp.ReductionKernel(*halves, reduce_type="float")(cp.asarray(host)), np.float16(1))
    products = cp.ReductionKernel(
        "int32 x, int32 s", "int64 y", "x * s", "a * b", "y = a - s", "1", "products"
    )
    same(products(cp.asarray(np.arange(1, 6, dtype=np.int32)), 2), np.int64(120 * 32 - 2))


def test_a_reduction_without_identity_starts_at_zero_as_on_a_device(cp):
    largest = cp.ReductionKernel("float32 x", "float32 y", "x", "a > b ? a : b", "y = a", None, "largest")
    same(largest(cp.asarray(np.float32([-2, -1]))), np.float32(0))
    with pytest.raises(ValueError, match="has no identity"):
        largest(cp.zeros((0,), np.float32))


def test_a_reduction_of_nothing_is_its_identity(cp):
    total = cp.ReductionKernel("float32 x", "float32 y", "x", "a + b", "y = a", "0", "total")
    same(total(cp.zeros((2, 0), np.float32), axis=1), np.zeros(2, np.float32))
    assert total(cp.zeros((0, 2), np.float32), axis=1).shape == (0,)


def test_reductions_broadcast_and_write_into_given_arrays(cp, a):
    kernel = cp.ReductionKernel(
        "float32 x, float32 y", "float32 s, bool p", "x * y", "a + b", "s = a, p = a > 10", "0", "dots"
    )
    row = cp.asarray(np.float32([1, 2, 3]))
    s, p = cp.empty(2, np.float32), cp.empty(2, bool)
    with pytest.raises(ValueError, match="returns the first of several results"):
        kernel(a, row, axis=1)
    kernel(a, row, s, p, axis=1)
    same(s, HOST @ np.float32([1, 2, 3]))
    same(p, np.array([False, True]))
    out = cp.zeros(2, np.float32)
    kernel(a, row, out, p, axis=1)
    same(out, s.get())
    total = cp.ReductionKernel("float32 x", "float32 y", "x", "a + b", "y = a", "0", "total")
    assert total(a, axis=0, out=cp.zeros(3, np.float32)[:]).shape == (3,)
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        total(a, axis=0, out=out)
    with pytest.raises(ValueError, match="out"):
        total(a, out, axis=1, out=out)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"map_expr": "x + z"}, "unknown name 'z'"),
        ({"reduce_expr": "max(a, b)"}, "unknown function 'max'"),
        ({"reduce_expr": "a + x"}, "unknown name 'x'"),
        ({"post_map_expr": "z = a"}, "sets 'z'"),
        ({"post_map_expr": "y = x"}, "unknown name 'x'"),
        ({"identity": -np.inf}, "unknown name 'inf'"),
        ({"reduce_type": "float32"}, "no C type"),
        ({"in_params": "raw float32 x"}, "raw is refused"),
    ],
)
def test_reductions_that_are_refused(cp, a, changed, why):
    given = {
        "in_params": "float32 x", "out_params": "float32 y", "map_expr": "x", "reduce_expr": "a * b",
        "post_map_expr": "y = a", "identity": 1, "name": "refused",
    }  # fmt: skip
    with pytest.raises(ValueError, match=why):
        cp.ReductionKernel(**given | changed)(a)


# --- RawKernel ---

SCALE = r"""
#include <cuda_fp16.h>
__device__ __forceinline__ float twice(float x) { return x + x; }
extern "C" __global__ void scale(long long n, float by, const float* x, half* y) {
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = __float2half(exp(twice(by) * x[i]));
}"""
SUMS = r"""
extern "C" __global__ void sums(int n, const float* x, float* y) {
  __shared__ float parts[32];
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
  for (int by = 16; by; by >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, by);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x) return;
  for (int warp = 1; warp < (blockDim.x + 31) / 32; ++warp) sum += parts[warp];
  y[blockIdx.x] = sum;
}"""


def test_a_raw_kernel_runs_one_thread_for_each_element(cp, launches):
    x, y = cp.arange(1000, dtype=cp.float32) / 1000, cp.zeros(1000, cp.float16)
    launches.clear()
    cp.RawKernel(SCALE, "scale")((4,), (256,), (np.int64(1000), np.float32(0.5), x, y))
    assert list(launches.values()) == [1]
    same(y, np.exp(x.get()).astype(np.float16))


@pytest.mark.parametrize("threads", [32, 96, 256])
def test_threads_of_a_block_wait_for_each_other(cp, threads):
    x, y = cp.asarray(np.arange(3000).reshape(3, 1000) % 17).astype(cp.float32), cp.zeros(3, cp.float32)
    cp.RawKernel(SUMS, "sums", options=("--std=c++17",))((3,), (threads,), (np.int32(1000), x, y))
    same(y, x.get().sum(1))


def test_grids_of_three_axes_and_shared_memory_by_size(cp):
    code = r"""
    extern "C" __global__ void turn(int* y) {
      extern __shared__ int flipped[];
      int t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
      int threads = blockDim.x * blockDim.y * blockDim.z;
      flipped[threads - 1 - t] = t;
      __syncthreads();
      int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
      atomicAdd(&y[block * threads + t], 100 * block + flipped[t]);
    }"""
    y = cp.zeros((8, 24), cp.int32)
    cp.RawKernel(code, "turn")((2, 2, 2), (4, 3, 2), (y,), shared_mem=24 * 4)
    same(y, (np.arange(8)[:, None] * 100 + np.arange(24)[::-1]).astype(np.int32))


def test_arithmetic_of_the_device(cp):
    code = r"""
    extern "C" __global__ void high(unsigned long long a, unsigned long long b, unsigned long long* y) {
      y[0] = __umul64hi(a, b);
      y[1] = __umulhi(0xffffffffu, 5u);
      y[2] = __float_as_uint(1.0f);
      y[3] = max(3, 4) + __popc(7);
    }"""
    a, b = 2**63 + 12345, 2**62 + 999
    y = cp.zeros(4, cp.uint64)
    cp.RawKernel(code, "high")((1,), (1,), (np.uint64(a), np.uint64(b), y))
    same(y, np.array([a * b >> 64, 4, 0x3F800000, 7], np.uint64))


def test_arguments_that_do_not_fit_the_parameters_are_refused(cp):
    x, y = cp.zeros(10, cp.float32), cp.zeros(10, cp.float16)
    kernel = cp.RawKernel(SCALE, "scale")
    n, by = np.int64(10), np.float32(1)
    for error, why, args in [
        (TypeError, "argument 0: int32 is given", (np.int32(10), by, x, y)),
        (TypeError, "argument 1: float64 is given", (n, 1.0, x, y)),
        (TypeError, "argument 1: int32 is given", (n, np.int32(1), x, y)),
        (TypeError, "argument 2: float16 is given", (n, by, y, y)),
        (TypeError, "argument 2: int32 is given", (n, by, x.astype(np.int32), y)),
        (TypeError, "Unsupported type", (n, by, x.get(), y)),
        (TypeError, "given for a pointer", (n, by, n, y)),
        (TypeError, "an array is given for a number", (x, by, x, y)),
        (TypeError, "has 4 parameters, 3 arguments", (n, by, x)),
    ]:
        with pytest.raises(error, match=why):
            kernel((1,), (32,), args)
    for grid, block in [((0,), (1,)), ((1,), (1025,)), ((1,), (32, 64)), ((1, 65536), (1,))]:
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
            kernel(grid, block, (n, by, x, y))
    with pytest.raises(TypeError, match="tuple"):
        kernel(1, 32, (n, by, x, y))
    with pytest.raises(TypeError, match="expected tuple"):
        cp.RawKernel(SCALE, "scale", options=["--std=c++17"])


def test_a_struct_is_handed_over_by_value_as_an_array_of_size_one(cp):
    code = """
struct Line { double slope; int steps; int start; };
extern "C" __global__ void line(Line by, double* y) {
  if (threadIdx.x < by.steps) y[threadIdx.x] = by.slope * (by.start + (int)threadIdx.x);
}
"""
    kinds, y = [("slope", "d"), ("steps", "i"), ("start", "i")], cp.zeros(4)
    kernel = cp.RawKernel(code, "line")
    kernel((1,), (32,), (np.array([(0.5, 3, 10)], kinds), y))
    same(y, np.array([5, 5.5, 6, 0]))
    assert y.data.ptr == y[:2].data.ptr == y[1:].data.ptr - 8
    with pytest.raises(TypeError, match="12 bytes are given, the struct has 16"):
        kernel((1,), (32,), (np.array([(0.5, 3)], kinds[:2]), y))
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel((1,), (32,), (np.zeros(2, kinds), y))


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        ('extern "C" __global__ void k(float* y) { y[0] = z; }', ValueError, "'z' was not declared"),
        ("__global__ void k(float* y) { y[0] = 1; }", RuntimeError, 'not extern "C"'),
        ('extern "C" void k(float* y) { y[0] = 1; }', RuntimeError, "no __global__ k"),
        ('extern "C" __global__ void k(int64_t* y) { y[0] = 1; }', ValueError, "does not know 'int64_t'"),
        ('extern "C" __global__ void k(float* y) { *y = std::exp(1); }', ValueError, "'std::exp'"),
        ('extern "C" __global__ void k(float* y) { *y = -INFINITY; }', ValueError, "'INFINITY'"),
        ('#include <math.h>\nextern "C" __global__ void k(float* y) {}', ValueError, "no header 'math.h'"),
        ('extern "C" __global__ void k(float* y) { if (threadIdx.x) __syncthreads(); *y = 1; }', ValueError,
         "a barrier is not reached by all threads"),
        ('#include <cuda_fp16.h>\nextern "C" __global__ void k(float* y) { *y = half(1.f) + 1.f; }',
         ValueError, "ambiguous"),
    ],
)  # fmt: skip
def test_raw_texts_that_a_device_would_not_run_are_refused(cp, code, error, why):
    with pytest.raises(error, match=why):
        cp.RawKernel(code, "k")((1,), (32,), (cp.zeros(1, cp.float32),))


def test_what_depends_on_the_order_of_threads_does_not_pass_by_chance(cp):
    code = r"""
    extern "C" __global__ void carry(int* y) {
      __shared__ int last;
      if (threadIdx.x == 0) last = blockIdx.x + 1;  // a barrier is missing here
      y[blockIdx.x * blockDim.x + threadIdx.x] = last;
    }"""
    y = cp.zeros((2, 4), cp.int32)
    cp.RawKernel(code, "carry")((2,), (4,), (y,))
    same(y, np.int32([[1, 1, 1, 1], [2, 1, 1, 1]]))


def test_a_kernel_has_no_more_arguments_than_fit(cp, a):
    names = [f"x{i}" for i in range(100)]
    total = cp.ElementwiseKernel(
        ", ".join(f"float32 {n}" for n in names), "float32 y", f"y = {'+'.join(names)};"
    )
    same(total(*[a[0]] * 100), HOST[0] * 100)
    with pytest.raises(RuntimeError, match="formal parameter space overflowed"):
        total(*[a] * 100)
    big = np.zeros(1, [("x", "f4", 512)])
    code = "struct Big { float x[512]; };"
    for count in (1, 2):
        kernel = cp.RawKernel(
            f'{code} extern "C" __global__ void many(Big a, {"Big b, " * (count - 1)} float* y) {{}}', "many"
        )
        given = (*[big] * count, a)
        if count == 1:
            kernel((1,), (1,), given)
        else:
            with pytest.raises(RuntimeError, match=r"space overflowed \(4104 bytes required, max 4096"):
                kernel((1,), (1,), given)


def test_shared_memory_beyond_48_kib_is_asked_for(cp):
    code = r"""
    extern "C" __global__ void ends(float* y) {
      extern __shared__ float big[];
      big[16383] = 3;
      y[0] = big[16383];
    }"""
    y, kernel = cp.zeros(1, cp.float32), cp.RawKernel(code, "ends")
    with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
        kernel((1,), (1,), (y,), shared_mem=65536)
    kernel.max_dynamic_shared_size_bytes = 65536
    kernel((1,), (1,), (y,), shared_mem=65536)
    same(y, np.float32([3]))


def test_without_a_compiler_a_raw_kernel_says_so(cp, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code = SCALE.replace("twice", "never_compiled_before")
    with pytest.raises(sys.modules["cupy._raw"].NoCompiler, match=r"needs g\+\+"):
        cp.RawKernel(code, "scale").compile()
