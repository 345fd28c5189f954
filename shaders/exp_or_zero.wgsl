// Below exp(-80) a weight no longer counts; a denormal would cost a hundred times the arithmetic.
fn exp_or_zero(x: f32) -> f32 { return select(0.0, exp(x), x > -80.0); }
