/** SGD as text; see ../../rules/sgd.ts. */
export const SGD = `rule SGD
lr = 1e-3 in [0, inf)
momentum = 0 in [0, inf)
dampening = 0
weightDecay = 0 in [0, inf)
nesterov = false
maximize = false
state b as momentum_buffer
uncounted
require not nesterov or momentum > 0 and dampening == 0

if maximize: g = -g
if weightDecay != 0: g = g + weightDecay * p
if momentum == 0: p = p - lr * g
else:
  if isFresh(b): b = g
  else: b = momentum * b + (g if dampening == 0 else (1 - dampening) * g)
  p = p - lr * (g + momentum * b if nesterov else b)`;
