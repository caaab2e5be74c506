/**
 * NAdam: Adam with Nesterov's look ahead, its momentum growing from b1/2 to b1 as time goes on.
 *
 *     μₜ = b1·(1 - 0.96^(t·ψ) / 2)      Π = μ₁·μ₂ ⋯ μₜ
 *     m ← b1·m + (1 - b1)·g             v ← b2·v + (1 - b2)·g²
 *     p ← p - lr·((1 - μₜ)/(1 - Π)·g + μₜ₊₁/(1 - Π·μₜ₊₁)·m) / (√(v / (1 - b2ᵗ)) + eps)
 *
 * Π is a number in float32, as in PyTorch. Dozat (2016),
 * https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Weight decay is L2 (g ← g + wd·p) or decoupled
 * (p ← (1 - lr·wd)·p, before the update).
 */
import { rule } from "../ir/rule.ts";
import { emaSq, lerp, neg, pow, sqrt } from "../ir/words.ts";

export const nadam = /* @__PURE__ */ rule({
  name: "NAdam",
  hyper: {
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    momentumDecay: 4e-3,
    decoupledWeightDecay: false,
    maximize: false,
  },
  domain: {
    lr: "[0, inf)",
    betas: "[0, 1)",
    eps: "[0, inf)",
    weightDecay: "[0, inf)",
    momentumDecay: "[0, inf)",
  },
  state: { m: "exp_avg", v: "exp_avg_sq" },
  numbers: { product: "mu_product" },
  step({ p, g, m, v }, h) {
    const { lr, eps, weightDecay, t } = h;
    const [b1, b2] = h.betas;
    if (h.maximize) g = neg(g);
    if (h.decoupledWeightDecay && weightDecay !== 0) p = p.mul(1 - lr * weightDecay);
    else if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const mu = b1 * (1 - 0.5 * 0.96 ** (t * h.momentumDecay));
    const next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * h.momentumDecay));
    const product = Math.fround((t === 1 ? 1 : h.product) * Math.fround(mu));
    const mean = lerp(m, g, 1 - b1);
    const square = emaSq(v, g, b2);
    const root = sqrt(square.mul(1 / (1 - pow(b2, t)))).add(eps);
    const now = g.mul((lr * (1 - mu)) / (1 - product));
    const ahead = mean.mul((lr * next) / (1 - product * next));
    return { p: p.sub(now.add(ahead).div(root)), m: mean, v: square, product };
  },
});
