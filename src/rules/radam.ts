/**
 * RAdam: Adam that trusts its second moment only once it has seen enough to estimate it, and goes by
 * the mean gradient alone until then.
 *
 *     m ← b1·m + (1 - b1)·g             v ← b2·v + (1 - b2)·g²
 *     ρ∞ = 2/(1 - b2) - 1               ρ = ρ∞ - 2·t·b2ᵗ/(1 - b2ᵗ)
 *     r = √((ρ - 4)(ρ - 2)·ρ∞ / ((ρ∞ - 4)(ρ∞ - 2)·ρ))
 *     p ← p - lr·r·√(1 - b2ᵗ)·m̂ / (√v + eps)   if ρ > 5, else   p ← p - lr·m̂
 *
 * with m̂ = m/(1 - b1ᵗ). Liu et al. (2020), https://arxiv.org/abs/1908.03265. Weight decay is L2
 * (g ← g + wd·p) or decoupled (p ← (1 - lr·wd)·p, before the update).
 */
import { rule } from "../ir/rule.ts";
import { emaSq, lerp, neg, pow, sqrt } from "../ir/words.ts";

export const radam = /* @__PURE__ */ rule({
  name: "RAdam",
  hyper: {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    decoupledWeightDecay: false,
    maximize: false,
  },
  domain: { lr: "[0, inf)", betas: "[0, 1)", eps: "[0, inf)", weightDecay: "[0, inf)" },
  state: { m: "exp_avg", v: "exp_avg_sq" },
  step({ p, g, m, v }, h) {
    const { lr, eps, weightDecay, t } = h;
    const [b1, b2] = h.betas;
    if (h.maximize) g = neg(g);
    if (h.decoupledWeightDecay && weightDecay !== 0) p = p.mul(1 - lr * weightDecay);
    else if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const mean = lerp(m, g, 1 - b1);
    const square = emaSq(v, g, b2);
    const seen = 1 - pow(b2, t);
    const most = 2 / (1 - b2) - 1;
    const rho = most - (2 * t * pow(b2, t)) / seen;
    const step = lr / (1 - pow(b1, t));
    if (rho <= 5) return { p: p.sub(mean.mul(step)), m: mean, v: square };
    const rectified = Math.sqrt(((rho - 4) * (rho - 2) * most) / ((most - 4) * (most - 2) * rho));
    const update = mean.div(sqrt(square).add(eps)).mul(step * rectified * Math.sqrt(seen));
    return { p: p.sub(update), m: mean, v: square };
  },
});
