import { expect, it } from 'vitest'
import { translate } from '../../tools/gpu-proxy/cuda/translate.ts'

// WGSL as CUDA: forms one by one. That whole kernels compile is checked by `npm run check:kernels -- --target sm_90`.

const lines = (wgsl: string) =>
  translate(wgsl)
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())

it.each([
  ['alias T = f32;', 'using T = f32;'],
  ['const N = 4u; // four', 'constexpr auto N = 4u;'],
  ['const LOW = -3.0e38;', 'constexpr auto LOW = -3.0e38f;'],
  [
    'struct Part { start: u32, scale: f32 }',
    'struct Part { u32 start; f32 scale; Part() = default; WGSL Part(u32 start_, f32 scale_) : start(start_), scale(scale_) {} };',
  ],
  ['@group(0) @binding(1) var<storage, read> x: array<vec4f>;', '__constant__ Read<vec4f> x;'],
  ['@group(0) @binding(2) var<storage, read_write> y: array<f32>;', '__constant__ Written<f32> y;'],
  ['var<workgroup> a: array<vec4f, 8u>;', '__shared__ array<vec4f, 8u> a;'],
  [
    'fn f(a: f32, b: vec4f) -> f32 { let c = a + 1.0; var d: u32; return c; }',
    'WGSL f32 f(f32 a, vec4f b) { const auto c = a + 1.0f; u32 d{}; return c; }',
  ],
  [
    'fn g(a: u32) { switch a { case 1u: { h(); } default: { } } }',
    'WGSL void g(u32 a) { switch (a) { case 1u: { h(); } break; default: { } } }',
  ],
])('translates %s', (wgsl, cuda) => expect(lines(wgsl)).toContain(cuda))

it('gives an entry point its builtins and its size', () => {
  const found = lines(
    '@compute @workgroup_size(16, LINES)\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) { f(); }',
  )
  expect(found).toContain(
    'extern "C" __global__ void __launch_bounds__(16 * LINES) kernel() { const auto group = vec3u(blockIdx.x, blockIdx.y, blockIdx.z); const auto index = threadIdx.x + blockDim.x * threadIdx.y;',
  )
})

it('puts types in the order in which C++ wants them', () => {
  const found = lines('alias A = array<B, N>;\nconst N = 2u;\nstruct B { c: u32 }')
  const at = (start: string) => found.findIndex((line) => line.startsWith(start))
  expect(at('using A')).toBeGreaterThan(Math.max(at('struct B'), at('constexpr auto N')))
})

it.each(['fn f(a: vec4f) { let b = a.xy; }', 'override N: u32;'])('refuses %s', (wgsl) =>
  expect(() => translate(wgsl)).toThrow(),
)
