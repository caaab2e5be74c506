/** Adadelta as text; see ../../rules/adadelta.ts. */
export const Adadelta = `rule Adadelta
lr = 1 in [0, inf)
rho = 0.9 in [0, 1]
eps = 1e-6 in [0, inf)
weightDecay = 0 in [0, inf)
maximize = false
state v as square_avg, u as acc_delta

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
v = emaSq(v, g, rho)
d = sqrt((u + eps) / (v + eps)) * g
p = p - lr * d
u = emaSq(u, d, rho)`;
