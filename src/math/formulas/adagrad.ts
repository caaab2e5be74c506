/** Adagrad as text; see ../../rules/adagrad.ts. */
export const Adagrad = `rule Adagrad
lr = 1e-2 in [0, inf)
lrDecay = 0 in [0, inf)
weightDecay = 0 in [0, inf)
initialAccumulatorValue = 0 in [0, inf)
eps = 1e-10 in [0, inf)
maximize = false
state s as sum = initialAccumulatorValue

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
s = fma(g, g, s)
p = p - lr / (1 + (t - 1) * lrDecay) * g / (sqrt(s) + eps)`;
