/** The optimizers that come with Downhill, as classes; their equations stand in src/rules. */
import { adam, adamw } from "../rules/adam.ts";
import { rmsprop } from "../rules/rmsprop.ts";
import { sgd } from "../rules/sgd.ts";
import { optimizerClass } from "./define.ts";

/**
 * Stochastic gradient descent with optional momentum.
 *
 *     b ← μ·b + (1 - damp)·g,   p ← p - lr·b     (nesterov: p ← p - lr·(g + μ·b))
 *
 * Options and defaults: `lr` 1e-3, `momentum` μ 0, `dampening` 0, `weightDecay` 0 (L2),
 * `nesterov` false, `maximize` false. State: `momentum_buffer`, born as a copy of the first gradient.
 * 12 bytes per float32 parameter and step, 20 with momentum. As `torch.optim.SGD`;
 * Sutskever et al. (2013), http://proceedings.mlr.press/v28/sutskever13.
 */
export class SGD extends /* @__PURE__ */ optimizerClass(sgd) {}

/**
 * The gradient over a running root mean square of itself.
 *
 *     v ← α·v + (1 - α)·g²,   p ← p - lr·g / (√v + eps)
 *
 * Options and defaults: `lr` 1e-2, `alpha` α 0.99, `eps` 1e-8, `weightDecay` 0 (L2), `momentum` 0,
 * `centered` false (√(v - a²) with a running mean a of g), `maximize` false. State: `step`,
 * `square_avg`, `momentum_buffer`, `grad_avg`. 20 bytes per float32 parameter and step, 28 with one of
 * momentum and centered, 36 with both. As `torch.optim.RMSprop`; Tieleman and Hinton (2012);
 * centered: Graves (2013), https://arxiv.org/abs/1308.0850.
 */
export class RMSprop extends /* @__PURE__ */ optimizerClass(rmsprop) {}

/**
 * Adam: a running mean of the gradient over the root of a running mean of its square.
 *
 *     m ← b1·m + (1 - b1)·g,   v ← b2·v + (1 - b2)·g²
 *     p ← p - lr · m/(1 - b1ᵗ) / (√(v/(1 - b2ᵗ)) + eps)
 *
 * Options and defaults: `lr` 1e-3, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 0 (L2, or with
 * `decoupledWeightDecay` true as in AdamW), `amsgrad` false, `maximize` false. State: `step`,
 * `exp_avg`, `exp_avg_sq`, with amsgrad `max_exp_avg_sq`. 28 bytes per float32 parameter and step, 36
 * with amsgrad. As `torch.optim.Adam`; Kingma and Ba (2015), https://arxiv.org/abs/1412.6980.
 */
export class Adam extends /* @__PURE__ */ optimizerClass(adam) {}

/**
 * Adam with decoupled weight decay: p ← (1 - lr·wd)·p before Adam's update.
 *
 * Options and defaults: `lr` 1e-3, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 1e-2, `amsgrad`
 * false, `maximize` false. State and traffic as {@link Adam}. As `torch.optim.AdamW`; Loshchilov and
 * Hutter (2019), https://arxiv.org/abs/1711.05101.
 */
export class AdamW extends /* @__PURE__ */ optimizerClass(adamw) {}
