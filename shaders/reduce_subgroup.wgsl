// Sums over LANES invocations: the workgroup is one subgroup.
fn reduce_sum(value: f32, _lane: u32) -> f32 { return subgroupAdd(value); }
