/** RMSprop as text; see ../../rules/rmsprop.ts. */
export const RMSprop = `rule RMSprop
lr = 1e-2 in [0, inf)
alpha = 0.99 in [0, 1]
eps = 1e-8 in [0, inf)
weightDecay = 0 in [0, inf)
momentum = 0 in [0, inf)
centered = false
maximize = false
state v as square_avg, b as momentum_buffer, a as grad_avg

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
v = emaSq(v, g, alpha)
if centered: a = lerp(a, g, 1 - alpha)
d = g / (sqrt(v - a^2 if centered else v) + eps)
if momentum > 0:
  b = momentum * b + d
  p = p - lr * b
else: p = p - lr * d`;
