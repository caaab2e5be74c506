/** ASGD as text; see ../../rules/asgd.ts. */
export const ASGD = `rule ASGD
lr = 1e-2 in [0, inf)
lambd = 1e-4 in [0, inf)
alpha = 0.75 in [0, inf)
t0 = 1e6 in [0, inf)
weightDecay = 0 in [0, inf)
maximize = false
state ax
number eta = float32(lr), mu = 1

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
p = (1 - lambd * eta) * p - eta * g
ax = p if mu == 1 else ax + mu * (p - ax)
eta = float32(lr / (1 + lambd * lr * t)^alpha)
mu = float32(1 / max(1, t - t0))`;
