/** Rprop as text; see ../../rules/rprop.ts. */
export const Rprop = `rule Rprop
lr = 1e-2 in [0, inf)
etas = (shrink = 0.5, grow = 1.2) in (0, inf)
stepSizes = (least = 1e-6, most = 50) in [0, inf)
maximize = false
state before as prev, s as step_size
require shrink < 1 and grow > 1
require least <= most

if maximize: g = -g
c = g * before
turned = c < 0
f = grow if c > 0 else shrink if turned else 1
s = clamp(s + lr if isFresh(s) else s * f, least, most)
g = 0 if turned else g
p = p - sign(g) * s
before = g`;
