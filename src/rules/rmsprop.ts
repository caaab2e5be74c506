/**
 * RMSprop: the gradient divided by a running root mean square of itself.
 *
 *     v ← α·v + (1 - α)·g²
 *     p ← p - lr·g / (√v + eps)
 *
 * Centered: √(v - a²) with the running mean a of g, an estimate of the standard deviation.
 * With momentum the quotient goes through a buffer b ← μ·b + quotient. No bias correction.
 * Tieleman and Hinton (2012), lecture 6.5 of "Neural Networks for Machine Learning"; centered:
 * Graves (2013), https://arxiv.org/abs/1308.0850. Weight decay is L2: g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { emaSq, lerp, neg, sq, sqrt } from "../ir/words.ts";

export const rmsprop = /* @__PURE__ */ rule({
  name: "RMSprop",
  hyper: {
    lr: 1e-2,
    alpha: 0.99,
    eps: 1e-8,
    weightDecay: 0,
    momentum: 0,
    centered: false,
    maximize: false,
  },
  domain: {
    lr: "[0, inf)",
    alpha: "[0, 1]",
    eps: "[0, inf)",
    weightDecay: "[0, inf)",
    momentum: "[0, inf)",
  },
  state: { v: "square_avg", b: "momentum_buffer", a: "grad_avg" },
  step({ p, g, v, b, a }, { lr, alpha, eps, weightDecay, momentum, centered, maximize }) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const square = emaSq(v, g, alpha);
    const average = centered ? lerp(a, g, 1 - alpha) : a;
    const variance = centered ? square.sub(sq(average)) : square;
    const quotient = g.div(sqrt(variance).add(eps));
    const buffer = momentum > 0 ? b.mul(momentum).add(quotient) : b;
    const direction = momentum > 0 ? buffer : quotient;
    return { p: p.sub(direction.mul(lr)), v: square, b: buffer, a: average };
  },
});
