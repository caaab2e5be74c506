/**
 * Adam: a running mean of the gradient over the root of a running mean of its square, both freed of
 * their bias towards zero. AdamW is the same with decoupled weight decay.
 *
 *     m ← b1·m + (1 - b1)·g             m̂ = m / (1 - b1ᵗ)
 *     v ← b2·v + (1 - b2)·g²            v̂ = v / (1 - b2ᵗ)
 *     p ← p - lr·m̂ / (√v̂ + eps)
 *
 * AMSGrad takes the largest v so far. Weight decay is L2 (g ← g + wd·p) or decoupled
 * (p ← (1 - lr·wd)·p, before the update). Kingma and Ba (2015), https://arxiv.org/abs/1412.6980;
 * AMSGrad: https://openreview.net/forum?id=ryQu7f-RZ; AdamW: https://arxiv.org/abs/1711.05101.
 */
import { rule, type RuleTensors } from "../ir/rule.ts";
import { emaSq, lerp, max, neg, pow, sqrt } from "../ir/words.ts";

const hyper = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
} as const;

const domain = {
  lr: "[0, inf)",
  betas: "[0, 1)",
  eps: "[0, inf)",
  weightDecay: "[0, inf)",
} as const;

const state = { m: "exp_avg", v: "exp_avg_sq", vmax: "max_exp_avg_sq" } as const;

interface AdamNumbers {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly amsgrad: boolean;
  readonly maximize: boolean;
  readonly t: number;
}

function step(
  { p, g, m, v, vmax }: RuleTensors<keyof typeof state>,
  { lr, betas: [b1, b2], eps, weightDecay, amsgrad, maximize, t }: AdamNumbers,
  decoupled: boolean,
) {
  if (maximize) g = neg(g);
  const decayed = decoupled && weightDecay !== 0 ? p.mul(1 - lr * weightDecay) : p;
  if (!decoupled && weightDecay !== 0) g = g.add(p.mul(weightDecay));
  const mean = lerp(m, g, 1 - b1);
  const square = emaSq(v, g, b2);
  const largest = amsgrad ? max(vmax, square) : vmax;
  const root = sqrt(amsgrad ? largest : square).mul(1 / Math.sqrt(1 - pow(b2, t)));
  const update = mean.div(root.add(eps)).mul(lr / (1 - pow(b1, t)));
  return { p: decayed.sub(update), m: mean, v: square, vmax: largest };
}

export const adam = /* @__PURE__ */ rule({
  name: "Adam",
  hyper: { ...hyper, decoupledWeightDecay: false },
  domain,
  state,
  step: (tensors, numbers) => step(tensors, numbers, numbers.decoupledWeightDecay),
});

export const adamw = /* @__PURE__ */ rule({
  name: "AdamW",
  hyper: { ...hyper, weightDecay: 1e-2 },
  domain,
  state,
  step: (tensors, numbers) => step(tensors, numbers, true),
});
