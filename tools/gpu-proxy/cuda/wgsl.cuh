// The types and functions of WGSL that ported kernels use, for nvcc: translate.ts writes the rest.
#include <cuda_runtime.h>

using u32 = unsigned;
using i32 = int;
using f32 = float;
#define WGSL __device__ __forceinline__

template <class T, int N> struct vec;
template <class T> struct vec<T, 2> {
  T x, y;
  vec() = default;
  WGSL vec(T a, T b) : x(a), y(b) {}
  WGSL T &operator[](u32 i) { return (&x)[i]; }
};
template <class T> struct vec<T, 3> {
  T x, y, z;
  vec() = default;
  WGSL vec(T a, T b, T c) : x(a), y(b), z(c) {}
};
template <class T> struct alignas(4 * sizeof(T)) vec<T, 4> {
  T x, y, z, w;
  vec() = default;
  WGSL explicit vec(T a) : x(a), y(a), z(a), w(a) {}
  WGSL vec(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
  template <class U> WGSL explicit vec(vec<U, 4> a) : x(T(a.x)), y(T(a.y)), z(T(a.z)), w(T(a.w)) {}
  WGSL T &operator[](u32 i) { return (&x)[i]; }
  WGSL const T &operator[](u32 i) const { return (&x)[i]; }
};
template <class T> using vec4 = vec<T, 4>;
using vec4f = vec<f32, 4>;
using vec4u = vec<u32, 4>;
using vec2f = vec<f32, 2>;
using vec2u = vec<u32, 2>;
using vec3u = vec<u32, 3>;

#define OPERATOR(op)                                                                                      \
  template <class T> WGSL auto operator op(vec<T, 4> a, vec<T, 4> b) {                                    \
    return vec<decltype(a.x op b.x), 4>(a.x op b.x, a.y op b.y, a.z op b.z, a.w op b.w);                  \
  }                                                                                                       \
  template <class T> WGSL auto operator op(vec<T, 4> a, T b) { return a op vec<T, 4>(b); }                \
  template <class T> WGSL auto operator op(T a, vec<T, 4> b) { return vec<T, 4>(a) op b; }
OPERATOR(+) OPERATOR(-) OPERATOR(*) OPERATOR(/) OPERATOR(<) OPERATOR(>) OPERATOR(<=) OPERATOR(>=)
#undef OPERATOR
WGSL vec<bool, 4> operator&(vec<bool, 4> a, vec<bool, 4> b) { return {a.x && b.x, a.y && b.y, a.z && b.z, a.w && b.w}; }
template <class A, class B> WGSL void operator*=(vec<A, 4> &a, B b) { a = a * b; }

template <class T> WGSL T select(T no, T yes, bool condition) { return condition ? yes : no; }
template <class T> WGSL vec<T, 4> select(vec<T, 4> no, vec<T, 4> yes, vec<bool, 4> condition) {
  return {condition.x ? yes.x : no.x, condition.y ? yes.y : no.y, condition.z ? yes.z : no.z, condition.w ? yes.w : no.w};
}
WGSL vec4f fma(vec4f a, vec4f b, vec4f c) {
  return {fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w)};
}
WGSL vec4u min(vec4u a, vec4u b) { return {min(a.x, b.x), min(a.y, b.y), min(a.z, b.z), min(a.w, b.w)}; }
WGSL f32 clamp(f32 a, f32 low, f32 high) { return fminf(fmaxf(a, low), high); }
WGSL f32 sign(f32 a) { return a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : 0.0f; }
template <class To, class From> WGSL To bitcast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
WGSL void workgroupBarrier() { __syncthreads(); }

// Arrays in workgroup memory, and buffers; what a shader only reads may be loaded early.
template <class T, u32 N> struct array {
  T numbers[N];
  WGSL T &operator[](u32 i) { return numbers[i]; }
};
template <class T> struct Written {
  T *numbers;
  WGSL T &operator[](u32 i) const { return numbers[i]; }
};
template <class T> struct Read {
  const T *numbers;
  WGSL T operator[](u32 i) const {
    if constexpr (sizeof(T) == 16) {
      return bitcast<T>(__ldg(reinterpret_cast<const uint4 *>(numbers) + i));
    } else {
      return numbers[i];
    }
  }
};
