/**
 * ASGD: stochastic gradient descent with steps that shrink, and the average of where it has been.
 *
 *     p ← (1 - λ·η)·p - η·g
 *     a ← a + μ·(p - a)
 *     η ← lr / (1 + λ·lr·t)^α,   μ ← 1 / max(1, t - t0)      for the next step
 *
 * η begins as lr and μ as 1, so the average is the parameter itself until t0 has passed; both are
 * numbers in float32, as in PyTorch. The average stands in the state as `ax` and is yours to use.
 * Polyak and Juditsky (1992), https://doi.org/10.1137/0330046. Weight decay is L2: g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { neg } from "../ir/words.ts";

export const asgd = /* @__PURE__ */ rule({
  name: "ASGD",
  hyper: { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false },
  domain: {
    lr: "[0, inf)",
    lambd: "[0, inf)",
    alpha: "[0, inf)",
    t0: "[0, inf)",
    weightDecay: "[0, inf)",
  },
  state: { ax: "ax" },
  numbers: { eta: "eta", mu: "mu" },
  step({ p, g, ax }, { lr, lambd, alpha, t0, weightDecay, maximize, t, eta, mu }) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    if (t === 1) [eta, mu] = [Math.fround(lr), 1];
    const moved = p.mul(1 - lambd * eta).sub(g.mul(eta));
    return {
      p: moved,
      ax: mu === 1 ? moved : ax.add(moved.sub(ax).mul(mu)),
      eta: Math.fround(lr / (1 + lambd * lr * t) ** alpha),
      mu: Math.fround(1 / Math.max(1, t - t0)),
    };
  },
});
