/** NAdam as text; see ../../rules/nadam.ts. */
export const NAdam = `rule NAdam
lr = 2e-3 in [0, inf)
betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
eps = 1e-8 in [0, inf)
weightDecay = 0 in [0, inf)
momentumDecay = 4e-3 in [0, inf)
decoupledWeightDecay = false
maximize = false
state m as exp_avg, v as exp_avg_sq
number product as mu_product = 1

if maximize: g = -g
if weightDecay != 0:
  if decoupledWeightDecay: p = (1 - lr * weightDecay) * p
  else: g = g + weightDecay * p
mu = b1 * (1 - 0.5 * 0.96^(t * momentumDecay))
nu = b1 * (1 - 0.5 * 0.96^((t + 1) * momentumDecay))
product = float32(product * float32(mu))
m = lerp(m, g, 1 - b1)
v = emaSq(v, g, b2)
d = sqrt(v * (1 / (1 - b2^t))) + eps
a = lr * (1 - mu) / (1 - product) * g
b = lr * nu / (1 - product * nu) * m
p = p - (a + b) / d`;
