/** RAdam as text; see ../../rules/radam.ts. */
export const RAdam = `rule RAdam
lr = 1e-3 in [0, inf)
betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
eps = 1e-8 in [0, inf)
weightDecay = 0 in [0, inf)
decoupledWeightDecay = false
maximize = false
state m as exp_avg, v as exp_avg_sq

if maximize: g = -g
if weightDecay != 0:
  if decoupledWeightDecay: p = (1 - lr * weightDecay) * p
  else: g = g + weightDecay * p
m = lerp(m, g, 1 - b1)
v = emaSq(v, g, b2)
rho_max = 2 / (1 - b2) - 1
rho = rho_max - 2 * t * b2^t / (1 - b2^t)
alpha = lr / (1 - b1^t)
if rho > 5:
  r = sqrt((rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho))
  p = p - m / (sqrt(v) + eps) * (alpha * r * sqrt(1 - b2^t))
else: p = p - alpha * m`;
