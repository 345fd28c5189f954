// Activations by the number that the host gives them (src/tensor/linear.ts).

// erf by Abramowitz and Stegun 7.1.26: |error| <= 1.5e-7.
fn erf(x: f32) -> f32 {
  let t = 1.0 / fma(0.3275911, abs(x), 1.0);
  let poly = t * fma(t, fma(t, fma(t, fma(t, 1.061405429, -1.453152027), 1.421413741), -0.284496736), 0.254829592);
  // Beyond 5 the tail is below f32's last place; its exponential would be a denormal.
  let tail = select(0.0, poly * exp(-x * x), abs(x) < 5.0);
  return sign(x) * (1.0 - tail);
}

fn gelu(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }

// Hendrycks and Gimpel's approximation; tanh is 1 beyond 15, and large arguments may overflow in some implementations.
fn gelu_tanh(x: f32) -> f32 {
  return 0.5 * x * (1.0 + tanh(clamp(0.7978845608028654 * fma(0.044715 * x * x, x, x), -15.0, 15.0)));
}

fn silu(x: f32) -> f32 { return x / (1.0 + exp(min(-x, 80.0))); }

fn activate(x: f32, activation: u32) -> f32 {
  switch activation {
    case 1u: { return gelu(x); }
    case 2u: { return tanh(clamp(x, -15.0, 15.0)); }
    case 3u: { return gelu_tanh(x); }
    case 4u: { return silu(x); }
    case 5u: { return max(x, 0.0); }
    default: { return x; }
  }
}
