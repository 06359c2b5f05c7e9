// CUDA C on the CPU: what a kernel's text uses of the device, so that g++ compiles the same text.
//
// Blocks run one after another. Threads of a block do too, in every second block the last one first, so that
// what depends on their order without a barrier does not pass by chance. Only a text with a barrier or a shuffle gets
// fibers (STANDIN_FIBERS), which take turns at every barrier. A barrier that not all threads reach is reported.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <math.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#undef INFINITY  // NVRTC has neither
#undef NAN

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

#define STANDIN_VECTOR(T, name) \
  struct name##2 { T x, y; }; \
  struct name##3 { T x, y, z; }; \
  struct alignas(4 * sizeof(T)) name##4 { T x, y, z, w; }; \
  static inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
  static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
  static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
STANDIN_VECTOR(float, float)
STANDIN_VECTOR(int, int)
STANDIN_VECTOR(unsigned, uint)
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;
alignas(16) static unsigned char standin_dynamic_shared[232448];

// --- arithmetic ---

#define STANDIN_MIN_MAX(T) \
  static inline T max(T a, T b) { return a > b ? a : b; } \
  static inline T min(T a, T b) { return a < b ? a : b; }
STANDIN_MIN_MAX(int)
STANDIN_MIN_MAX(unsigned)
STANDIN_MIN_MAX(long long)
STANDIN_MIN_MAX(unsigned long long)
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline float min(float a, float b) { return fminf(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float rsqrt(float x) { return rsqrtf(x); }
#define __expf expf  // glibc has functions of these names
#define __logf logf
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
static inline int __mulhi(int a, int b) { return (long long)a * b >> 32; }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned __int128)a * b >> 64;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }

template <class To, class From> static inline To standin_bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "");
  To out;
  memcpy(&out, &value, sizeof out);
  return out;
}
static inline int __float_as_int(float x) { return standin_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return standin_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return standin_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return standin_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return standin_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return standin_bits<double>(x); }
template <class T> static inline T __ldg(const T* place) { return *place; }

#define STANDIN_ATOMIC(name, T, expression) \
  static inline T name(T* place, T value) { \
    T old = *place; \
    *place = (expression); \
    return old; \
  }
#define STANDIN_ATOMIC_INTEGER(T) \
  STANDIN_ATOMIC(atomicAdd, T, old + value) \
  STANDIN_ATOMIC(atomicExch, T, value) \
  STANDIN_ATOMIC(atomicMax, T, old > value ? old : value) \
  STANDIN_ATOMIC(atomicMin, T, old < value ? old : value) \
  STANDIN_ATOMIC(atomicAnd, T, old & value) \
  STANDIN_ATOMIC(atomicOr, T, old | value) \
  static inline T atomicCAS(T* place, T compare, T value) { \
    T old = *place; \
    if (old == compare) *place = value; \
    return old; \
  }
STANDIN_ATOMIC_INTEGER(int)
STANDIN_ATOMIC_INTEGER(unsigned)
STANDIN_ATOMIC_INTEGER(unsigned long long)
STANDIN_ATOMIC(atomicAdd, float, old + value)
STANDIN_ATOMIC(atomicAdd, double, old + value)
STANDIN_ATOMIC(atomicExch, float, value)
static inline void __threadfence() {}
static inline void __threadfence_block() {}

static inline unsigned standin_nth(unsigned n, unsigned count) {
  return (blockIdx.x + blockIdx.y + blockIdx.z) % 2 ? count - 1 - n : n;
}

// --- threads that wait for each other ---

#ifdef STANDIN_FIBERS
struct StandinFiber {  // made once; goes from one block's thread to the next
  jmp_buf place;
  uint3 index;
  bool made, done;
};
struct StandinBarrier {
  unsigned arrived, turn;
};
static const size_t standin_stack = 256 << 10;
static StandinFiber standin_fibers[1024];
static jmp_buf standin_scheduler;
static StandinBarrier standin_block, standin_warps[32];
static unsigned char standin_slots[1024][16];
static unsigned standin_current, standin_count;
static bool standin_moved;

static void standin_yield() {  // what swapcontext does, without two calls of the system
  if (!_setjmp(standin_fibers[standin_current].place)) _longjmp(standin_scheduler, 1);
}
static inline void standin_wait(StandinBarrier& barrier, unsigned count) {
  unsigned turn = barrier.turn;
  standin_moved = true;
  if (++barrier.arrived >= count) {
    barrier.arrived = 0;
    ++barrier.turn;
  } else {
    while (barrier.turn == turn) standin_yield();
  }
}
static inline void __syncthreads() { standin_wait(standin_block, standin_count); }
static inline void __syncwarp(unsigned mask = 0xffffffffu) {
  unsigned lanes = standin_count - standin_current / 32 * 32;
  if (lanes < 32) mask &= (1u << lanes) - 1;
  standin_wait(standin_warps[standin_current / 32], __builtin_popcount(mask));
}
template <class T> static inline T standin_shuffle(unsigned mask, T value, int lane) {
  static_assert(sizeof(T) <= 16, "");
  memcpy(standin_slots[standin_current], &value, sizeof value);
  __syncwarp(mask);
  T out = value;
  unsigned from = standin_current / 32 * 32 + lane;
  if (from < standin_count) memcpy(&out, standin_slots[from], sizeof out);
  __syncwarp(mask);
  return out;
}
template <class T> static inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  int own = standin_current % 32;
  return standin_shuffle(mask, value, own / width * width + lane % width);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  int own = standin_current % 32;
  return standin_shuffle(mask, value, own % width + (int)by < width ? own + by : own);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  int own = standin_current % 32;
  return standin_shuffle(mask, value, own % width >= (int)by ? own - by : own);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32) {
  int own = standin_current % 32;
  return standin_shuffle(mask, value, (own ^ by) / width == own / width ? own ^ by : own);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned out = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    int other = standin_shuffle(mask, predicate, lane);
    if (mask >> lane & 1 && standin_current / 32 * 32 + lane < standin_count && other) out |= 1u << lane;
  }
  return out;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return !__any_sync(mask, !predicate); }

static void (*standin_body)(void*);
static void* standin_argument;
static void standin_enter() {
  for (;;) {
    standin_body(standin_argument);
    standin_fibers[standin_current].done = standin_moved = true;
    standin_yield();
  }
}
static void standin_go_on(StandinFiber& fiber) {
  if (_setjmp(standin_scheduler)) return;
  if (fiber.made) _longjmp(fiber.place, 1);
  static char* stacks = (char*)mmap(nullptr, 1024 * standin_stack, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = stacks + (&fiber - standin_fibers) * standin_stack;
  context.uc_stack.ss_size = standin_stack;
  context.uc_link = nullptr;
  makecontext(&context, standin_enter, 0);
  fiber.made = true;
  setcontext(&context);
}
static int standin_block_of_threads(void (*body)(void*), void* argument) {
  standin_body = body;
  standin_argument = argument;
  standin_count = blockDim.x * blockDim.y * blockDim.z;
  standin_block = {};
  memset(standin_warps, 0, sizeof standin_warps);
  for (unsigned t = 0; t < standin_count; ++t) {
    StandinFiber& fiber = standin_fibers[t];
    fiber.index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
    fiber.done = false;
  }
  bool alive = true;
  while (alive) {
    alive = standin_moved = false;
    for (unsigned n = 0; n < standin_count; ++n) {
      unsigned t = standin_nth(n, standin_count);
      if (standin_fibers[t].done) continue;
      alive = true;
      standin_current = t;
      threadIdx = standin_fibers[t].index;
      standin_go_on(standin_fibers[t]);
    }
    if (alive && !standin_moved) {
      for (StandinFiber& fiber : standin_fibers) fiber.made = false;
      return 1;
    }
  }
  return 0;
}
#else
static int standin_block_of_threads(void (*body)(void*), void* argument) {
  unsigned plane = blockDim.x * blockDim.y, count = plane * blockDim.z;
  for (unsigned n = 0; n < count; ++n) {
    unsigned t = standin_nth(n, count);
    threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / plane};
    body(argument);
  }
  return 0;
}
#endif

// --- a kernel called with an array of pointers to its arguments ---

template <class T> struct StandinKind {
  static const int value = std::is_pointer<T>::value          ? 'p'
                           : std::is_same<T, bool>::value     ? 'b'
                           : std::is_floating_point<T>::value ? 'f'
                           : std::is_integral<T>::value       ? (std::is_signed<T>::value ? 'i' : 'u')
                                                              : 'o';
};
template <class T> struct StandinSize { static const int value = sizeof(T); };
template <> struct StandinSize<void> { static const int value = 0; };
template <class... P> static int standin_describe(void (*)(P...), int* out) {
  int row[] = {0, (*out++ = sizeof(P), *out++ = StandinKind<std::remove_cv_t<P>>::value,
                   *out++ = StandinSize<std::remove_cv_t<std::remove_pointer_t<P>>>::value,
                   *out++ = StandinKind<std::remove_cv_t<std::remove_pointer_t<P>>>::value,
                   *out++ = !std::is_const<std::remove_pointer_t<P>>::value)...};
  (void)row;
  return sizeof...(P);
}
template <class... P> struct StandinCall {
  void (*kernel)(P...);
  void** arguments;
  template <size_t... I> void once(std::index_sequence<I...>) { kernel(*(P*)arguments[I]...); }
  static void body(void* self) { ((StandinCall*)self)->once(std::index_sequence_for<P...>{}); }
};
template <class... P>
static int standin_launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments) {
  StandinCall<P...> call{kernel, arguments};
  gridDim = dim3(grid[0], grid[1], grid[2]);
  blockDim = dim3(block[0], block[1], block[2]);
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
        if (standin_block_of_threads(&StandinCall<P...>::body, &call)) return 1;
  return 0;
}
#define STANDIN_KERNEL(name) \
  extern "C" int standin_parameters(int* out) { return standin_describe(&name, out); } \
  extern "C" int standin_run(const unsigned* grid, const unsigned* block, void** arguments) { \
    return standin_launch(&name, grid, block, arguments); \
  }
