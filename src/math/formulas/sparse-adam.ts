/** SparseAdam as text; see ../../rules/sparse-adam.ts. Which rows take a step is not part of it. */
export const SparseAdam = `rule SparseAdam
lr = 1e-3 in (0, inf)
betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
eps = 1e-8 in (0, inf)
maximize = false
state m as exp_avg, v as exp_avg_sq

if maximize: g = -g
m = m + (1 - b1) * (g - m)
v = v + (1 - b2) * (g^2 - v)
p = p - lr * sqrt(1 - b2^t) / (1 - b1^t) * (m / (sqrt(v) + eps))`;
