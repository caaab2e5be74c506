/**
 * Rprop: only the sign of the gradient counts. Each element has a step size of its own, which grows
 * while the sign stays and shrinks when it turns; the element then rests for one step.
 *
 *     c = g·(g of the step before)
 *     s ← clamp(s·(η⁺ if c > 0, η⁻ if c < 0, else 1), smallest, largest)
 *     g ← 0 where c < 0
 *     p ← p - s·sign(g)
 *
 * s begins as lr, which counts for nothing afterwards. For full batches only. Riedmiller and Braun
 * (1993), https://doi.org/10.1109/ICNN.1993.298623; without backtracking, as Igel and Hüsken's
 * iRprop⁻ (2000).
 */
import { rule } from "../ir/rule.ts";
import { clamp, gt, isFresh, lt, neg, sign, where } from "../ir/words.ts";

export const rprop = /* @__PURE__ */ rule({
  name: "Rprop",
  hyper: { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false },
  domain: { lr: "[0, inf)", etas: "(0, inf)", stepSizes: "[0, inf)" },
  state: { before: "prev", s: "step_size" },
  check({ etas: [shrink, grow], stepSizes: [smallest, largest] }) {
    if (shrink >= 1 || grow <= 1) {
      return { option: "etas", expected: "[less than 1, more than 1], both above 0" };
    }
    if (smallest <= largest) return undefined;
    return { option: "stepSizes", expected: "[smallest, largest]" };
  },
  step({ p, g, before, s }, { lr, etas: [shrink, grow], stepSizes: [least, most], maximize }) {
    if (maximize) g = neg(g);
    const change = g.mul(before);
    const turned = lt(change, 0);
    const factor = where(gt(change, 0), grow, where(turned, shrink, 1));
    const size = clamp(isFresh(s) ? s.add(lr) : s.mul(factor), least, most);
    const kept = where(turned, 0, g);
    return { p: p.sub(sign(kept).mul(size)), before: kept, s: size };
  },
});
