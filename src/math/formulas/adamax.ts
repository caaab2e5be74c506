/** Adamax as text; see ../../rules/adamax.ts. */
export const Adamax = `rule Adamax
lr = 2e-3 in [0, inf)
betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
eps = 1e-8 in [0, inf)
weightDecay = 0 in [0, inf)
maximize = false
state m as exp_avg, u as exp_inf

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
m = lerp(m, g, 1 - b1)
u = max(b2 * u, abs(g) + eps)
p = p - lr / (1 - b1^t) * (m / u)`;
