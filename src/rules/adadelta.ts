/**
 * Adadelta: the gradient over its running root mean square, times that of the steps taken so far, so
 * that a step has the unit of the parameter.
 *
 *     v ← ρ·v + (1 - ρ)·g²
 *     d = √((u + eps) / (v + eps)) · g
 *     u ← ρ·u + (1 - ρ)·d²
 *     p ← p - lr·d
 *
 * Zeiler (2012), https://arxiv.org/abs/1212.5701. Weight decay is L2: g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { emaSq, neg, sqrt } from "../ir/words.ts";

export const adadelta = /* @__PURE__ */ rule({
  name: "Adadelta",
  hyper: { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false },
  domain: { lr: "[0, inf)", rho: "[0, 1]", eps: "[0, inf)", weightDecay: "[0, inf)" },
  state: { v: "square_avg", u: "acc_delta" },
  step({ p, g, v, u }, { lr, rho, eps, weightDecay, maximize }) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const square = emaSq(v, g, rho);
    // One root of a quotient rounds less, and is faster, than a quotient of two roots.
    const delta = sqrt(u.add(eps).div(square.add(eps))).mul(g);
    return { p: p.sub(delta.mul(lr)), v: square, u: emaSq(u, delta, rho) };
  },
});
