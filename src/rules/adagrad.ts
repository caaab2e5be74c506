/**
 * Adagrad: the gradient over the root of the sum of all its squares so far, so that what rarely moves
 * moves far when it does.
 *
 *     s ← s + g²
 *     p ← p - lrₜ·g / (√s + eps),   lrₜ = lr / (1 + (t - 1)·lrDecay)
 *
 * Duchi, Hazan and Singer (2011), https://jmlr.org/papers/v12/duchi11a.html. Weight decay is L2:
 * g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { fma, isFresh, neg, sqrt } from "../ir/words.ts";

export const adagrad = /* @__PURE__ */ rule({
  name: "Adagrad",
  hyper: {
    lr: 1e-2,
    lrDecay: 0,
    weightDecay: 0,
    initialAccumulatorValue: 0,
    eps: 1e-10,
    maximize: false,
  },
  domain: {
    lr: "[0, inf)",
    lrDecay: "[0, inf)",
    weightDecay: "[0, inf)",
    initialAccumulatorValue: "[0, inf)",
    eps: "[0, inf)",
  },
  state: { s: "sum" },
  sparse: {
    check: ({ weightDecay }) =>
      weightDecay === 0 ? undefined : { option: "weightDecay", expected: "0" },
    start: ({ initialAccumulatorValue }) => ({ s: initialAccumulatorValue }),
  },
  step(
    { p, g, s },
    { lr, lrDecay, weightDecay, initialAccumulatorValue: first, eps, maximize, t },
  ) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    const sum = fma(g, g, isFresh(s) ? first : s);
    const step = g.mul(lr / (1 + (t - 1) * lrDecay)).div(sqrt(sum).add(eps));
    return { p: p.sub(step), s: sum };
  },
});
