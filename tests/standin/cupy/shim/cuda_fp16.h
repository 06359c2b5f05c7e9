// half on the CPU: as in CUDA it mixes with no other type unless one of the two is converted.
#pragma once

struct __half {
  _Float16 value;
  __half() = default;
  __half(float x) : value((_Float16)x) {}
  __half(double x) : value((_Float16)x) {}
  __half(int x) : value((_Float16)x) {}
  operator float() const { return (float)value; }
};
typedef __half half;
#define STANDIN_HALF(sign) \
  static inline __half operator sign(__half a, __half b) { return __half((float)a sign(float) b); }
STANDIN_HALF(+)
STANDIN_HALF(-)
STANDIN_HALF(*)
STANDIN_HALF(/)
#define STANDIN_HALF_COMPARE(sign) \
  static inline bool operator sign(__half a, __half b) { return (float)a sign(float) b; }
STANDIN_HALF_COMPARE(<)
STANDIN_HALF_COMPARE(<=)
STANDIN_HALF_COMPARE(>)
STANDIN_HALF_COMPARE(>=)
STANDIN_HALF_COMPARE(==)
STANDIN_HALF_COMPARE(!=)
static inline __half operator-(__half a) { return __half(-(float)a); }
static inline float __half2float(__half a) { return a; }
static inline __half __float2half(float a) { return a; }
static inline __half __float2half_rn(float a) { return a; }
static inline __half __double2half(double a) { return a; }
static inline __half __ushort_as_half(unsigned short bits) { return standin_bits<__half>(bits); }
static inline unsigned short __half_as_ushort(__half a) { return standin_bits<unsigned short>(a); }
template <> struct StandinKind<__half> { static const int value = 'f'; };
