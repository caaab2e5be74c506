/**
 * Adamax: Adam with the largest gradient of late, slowly forgotten, in the place of the root mean
 * square.
 *
 *     m ← b1·m + (1 - b1)·g
 *     u ← max(b2·u, |g| + eps)
 *     p ← p - lr / (1 - b1ᵗ) · m / u
 *
 * Kingma and Ba (2015), section 7.1, https://arxiv.org/abs/1412.6980. Weight decay is L2:
 * g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { abs, lerp, max, neg, pow } from "../ir/words.ts";

export const adamax = /* @__PURE__ */ rule({
  name: "Adamax",
  hyper: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false },
  domain: { lr: "[0, inf)", betas: "[0, 1)", eps: "[0, inf)", weightDecay: "[0, inf)" },
  state: { m: "exp_avg", u: "exp_inf" },
  step({ p, g, m, u }, { lr, betas: [b1, b2], eps, weightDecay, maximize, t }) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const mean = lerp(m, g, 1 - b1);
    const largest = max(u.mul(b2), abs(g).add(eps));
    return { p: p.sub(mean.div(largest).mul(lr / (1 - pow(b1, t)))), m: mean, u: largest };
  },
});
