// needs: T, Y
// Parameters and buffers of the linear kernels. A kernel says in which units it reads x (`Numbers`) and weight (`Words`).
struct Params {
  rows: u32, inner: u32, columns: u32, columns_1: u32, columns_2: u32, y_1: u32, y_2: u32, first_tile: u32,
  activation: u32, has_bias: u32, combine: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Numbers>;
@group(0) @binding(2) var<storage, read> weight: array<Words>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> other: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<Y>;
