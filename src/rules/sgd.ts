/**
 * SGD: straight down the gradient, optionally with a momentum buffer b and Nesterov's look ahead.
 *
 *     b ← μ·b + (1 - damp)·g      (the first b is g itself)
 *     p ← p - lr·b                (Nesterov: p ← p - lr·(g + μ·b))
 *
 * Momentum as in PyTorch and Sutskever et al. (2013), http://proceedings.mlr.press/v28/sutskever13
 * but with lr outside the buffer. Weight decay is L2: g ← g + wd·p.
 */
import { rule } from "../ir/rule.ts";
import { isFresh, neg } from "../ir/words.ts";

export const sgd = /* @__PURE__ */ rule({
  name: "SGD",
  hyper: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
  domain: { lr: "[0, inf)", momentum: "[0, inf)", weightDecay: "[0, inf)" },
  state: { b: "momentum_buffer" },
  counted: false,
  sparse: {
    check({ momentum, weightDecay }) {
      if (momentum !== 0) return { option: "momentum", expected: "0" };
      return weightDecay === 0 ? undefined : { option: "weightDecay", expected: "0" };
    },
  },
  check({ nesterov, momentum, dampening }) {
    if (!nesterov || (momentum > 0 && dampening === 0)) return undefined;
    return { option: "nesterov", expected: "false, or momentum > 0 with dampening = 0" };
  },
  step({ p, g, b }, { lr, momentum, dampening, weightDecay, nesterov, maximize }) {
    if (maximize) g = neg(g);
    if (weightDecay !== 0) g = g.add(p.mul(weightDecay));
    if (momentum === 0) return { p: p.sub(g.mul(lr)), b };
    const buffer = isFresh(b) ? g : b.mul(momentum).add(dampening === 0 ? g : g.mul(1 - dampening));
    const direction = nesterov ? g.add(buffer.mul(momentum)) : buffer;
    return { p: p.sub(direction.mul(lr)), b: buffer };
  },
});
