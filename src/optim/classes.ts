/** The optimizers that come with Downhill, as classes; their equations stand in src/rules. */
import { adam, adamw } from "../rules/adam.ts";
import { rprop } from "../rules/rprop.ts";
import { radam } from "../rules/radam.ts";
import { muon } from "../rules/muon.ts";
import { nadam } from "../rules/nadam.ts";
import { asgd } from "../rules/asgd.ts";
import { adamax } from "../rules/adamax.ts";
import { adafactor } from "../rules/adafactor.ts";
import { adagrad } from "../rules/adagrad.ts";
import { adadelta } from "../rules/adadelta.ts";
import { rmsprop } from "../rules/rmsprop.ts";
import { sgd } from "../rules/sgd.ts";
import { sparseAdam } from "../rules/sparse-adam.ts";
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

/**
 * The gradient over its running root mean square, times that of the steps taken so far.
 *
 *     v ← ρ·v + (1 - ρ)·g²,   d = √((u + eps)/(v + eps))·g,   u ← ρ·u + (1 - ρ)·d²,   p ← p - lr·d
 *
 * Options and defaults: `lr` 1, `rho` ρ 0.9, `eps` 1e-6, `weightDecay` 0 (L2), `maximize` false.
 * State: `step`, `square_avg`, `acc_delta`. 28 bytes per float32 parameter and step. As
 * `torch.optim.Adadelta`; Zeiler (2012), https://arxiv.org/abs/1212.5701.
 */
export class Adadelta extends /* @__PURE__ */ optimizerClass(adadelta) {}

/**
 * The gradient over the root of the sum of all its squares so far.
 *
 *     s ← s + g²,   p ← p - lr/(1 + (t - 1)·lrDecay) · g / (√s + eps)
 *
 * Options and defaults: `lr` 1e-2, `lrDecay` 0, `weightDecay` 0 (L2), `initialAccumulatorValue` 0 (s
 * before the first step), `eps` 1e-10, `maximize` false. State: `step`, `sum`. 20 bytes per float32
 * parameter and step. As `torch.optim.Adagrad`; Duchi, Hazan and Singer (2011),
 * https://jmlr.org/papers/v12/duchi11a.html.
 */
export class Adagrad extends /* @__PURE__ */ optimizerClass(adagrad) {}

/**
 * Adam with the largest gradient of late in the place of the root mean square.
 *
 *     m ← b1·m + (1 - b1)·g,   u ← max(b2·u, |g| + eps),   p ← p - lr/(1 - b1ᵗ) · m/u
 *
 * Options and defaults: `lr` 2e-3, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 0 (L2), `maximize`
 * false. State: `step`, `exp_avg`, `exp_inf`. 28 bytes per float32 parameter and step. As
 * `torch.optim.Adamax`; Kingma and Ba (2015), https://arxiv.org/abs/1412.6980.
 */
export class Adamax extends /* @__PURE__ */ optimizerClass(adamax) {}

/**
 * Stochastic gradient descent with steps that shrink, and the average of where it has been.
 *
 *     p ← (1 - λ·η)·p - η·g,   a ← a + μ·(p - a),   then η ← lr/(1 + λ·lr·t)^α,   μ ← 1/max(1, t - t0)
 *
 * Options and defaults: `lr` 1e-2, `lambd` λ 1e-4, `alpha` α 0.75, `t0` 1e6, `weightDecay` 0 (L2),
 * `maximize` false. State: `step`, `eta`, `mu`, and the average `ax`. 20 bytes per float32 parameter
 * and step. As `torch.optim.ASGD`; Polyak and Juditsky (1992), https://doi.org/10.1137/0330046.
 */
export class ASGD extends /* @__PURE__ */ optimizerClass(asgd) {}

/**
 * Momentum, made orthogonal: for the weight matrices between the layers of a network.
 *
 *     m ← μ·m + (1 - μ)·g,   u = μ·m + (1 - μ)·g (without `nesterov` u = m),   X = u / max(‖u‖, eps)
 *     `nsSteps` times   X ← a·X + (b·A + c·A·A)·X,   A = X·Xᵀ
 *     p ← (1 - lr·weightDecay)·p - lr·s·X,   s = √max(1, rows/columns) or 0.2·√max(rows, columns)
 *
 * Options and defaults: `lr` 1e-3, `weightDecay` 0.1 (decoupled), `momentum` μ 0.95, `nesterov` true,
 * `nsCoefficients` [a 3.4445, b -4.775, c 2.0315], `eps` 1e-7, `nsSteps` 5 (whole, below 100),
 * `adjustLrFn` null. `"original"` or `null` is the first s; `"match_rms_adamw"` the second, with which lr
 * and weight decay of AdamW can be kept. State: `momentum_buffer`. 20 bytes per float32 parameter
 * and step besides the products. Every parameter must have the shape [rows, columns], here and in
 * `addParamGroup`: a {@link ParameterError} `NOT_A_MATRIX` says which has not. Biases, norms, embeddings
 * and the last layer go to another optimizer. As `torch.optim.Muon`, but in the parameter's own type in
 * place of bfloat16; Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/; the second s:
 * Liu et al. (2025), https://arxiv.org/abs/2502.16982.
 */
export class Muon extends /* @__PURE__ */ optimizerClass(muon) {}

/**
 * Adam with Nesterov's look ahead.
 *
 *     μₜ = b1·(1 - 0.96^(t·ψ)/2),   Π = μ₁ ⋯ μₜ,   m and v as Adam
 *     p ← p - lr·((1 - μₜ)/(1 - Π)·g + μₜ₊₁/(1 - Π·μₜ₊₁)·m) / (√(v/(1 - b2ᵗ)) + eps)
 *
 * Options and defaults: `lr` 2e-3, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 0 (L2, or with
 * `decoupledWeightDecay` true as in AdamW), `momentumDecay` ψ 4e-3, `maximize` false. State: `step`,
 * `mu_product`, `exp_avg`, `exp_avg_sq`. 28 bytes per float32 parameter and step. As
 * `torch.optim.NAdam`; Dozat (2016), https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
 */
export class NAdam extends /* @__PURE__ */ optimizerClass(nadam) {}

/**
 * Adam that goes by the mean gradient alone until it can estimate its second moment.
 *
 *     m and v as Adam,   ρ∞ = 2/(1 - b2) - 1,   ρ = ρ∞ - 2t·b2ᵗ/(1 - b2ᵗ)
 *     p ← p - lr·r·√(1 - b2ᵗ)·m̂/(√v + eps) if ρ > 5, else p ← p - lr·m̂
 *     r = √((ρ - 4)(ρ - 2)ρ∞ / ((ρ∞ - 4)(ρ∞ - 2)ρ)),   m̂ = m/(1 - b1ᵗ)
 *
 * Options and defaults: `lr` 1e-3, `betas` [0.9, 0.999], `eps` 1e-8, `weightDecay` 0 (L2, or with
 * `decoupledWeightDecay` true as in AdamW), `maximize` false. State: `step`, `exp_avg`, `exp_avg_sq`.
 * 28 bytes per float32 parameter and step. As `torch.optim.RAdam`; Liu et al. (2020),
 * https://arxiv.org/abs/1908.03265.
 */
export class RAdam extends /* @__PURE__ */ optimizerClass(radam) {}

/**
 * A step size for each element, by whether the gradient keeps its sign; for full batches.
 *
 *     c = g·(g before),   s ← clamp(s·(η⁺ if c > 0, η⁻ if c < 0, else 1)),   p ← p - s·sign(g where c ≥ 0)
 *
 * Options and defaults: `lr` 1e-2 (the first s), `etas` [η⁻ 0.5, η⁺ 1.2], `stepSizes` [1e-6, 50],
 * `maximize` false. State: `step`, `prev`, `step_size`. 28 bytes per float32 parameter and step. As
 * `torch.optim.Rprop`; Riedmiller and Braun (1993), https://doi.org/10.1109/ICNN.1993.298623.
 */
export class Rprop extends /* @__PURE__ */ optimizerClass(rprop) {}

/**
 * Adam for gradients of some rows alone, see `Parameter.sparseGrad`; all other rows rest.
 *
 *     m ← m + (1 - b1)·(g - m),   v ← v + (1 - b2)·(g² - v)
 *     p ← p - lr·√(1 - b2ᵗ)/(1 - b1ᵗ) · m / (√v + eps)
 *
 * Options and defaults: `lr` 1e-3 (above 0), `betas` [0.9, 0.999], `eps` 1e-8 (above 0), `maximize` false.
 * State: `step`, `exp_avg`, `exp_avg_sq`. 28 bytes per float32 element of the rows and step; dense
 * gradients are refused. As `torch.optim.SparseAdam`; Kingma and Ba (2015),
 * https://arxiv.org/abs/1412.6980.
 */
export class SparseAdam extends /* @__PURE__ */ optimizerClass(sparseAdam) {}

/**
 * Adam's second moment of a matrix from its rows and columns alone, and steps relative to the parameter.
 *
 *     R ← R + t^β·(row means of g² - R),   C ← C + t^β·(column means of g² - C),   V = R·C / mean(R)
 *     U = g / √max(V, ε₁²),   p ← p - max(ε₂, RMS(p))·min(lr, 1/√t) · U / max(1, RMS(U)/d)
 *
 * Options and defaults: `lr` 1e-2 (the most that a relative step may be), `beta2Decay` β -0.8, `eps`
 * [ε₁ `null`: the machine epsilon of the parameter's type, ε₂ 1e-3], `d` 1, `weightDecay` 0 (decoupled),
 * `maximize` false. State: `step`, and `row_var` and `col_var`, one number per row and per column, or
 * `variance` for fewer than two dimensions; of more, the first count matrices. 24 bytes per float32
 * parameter and step. As `torch.optim.Adafactor`; Shazeer and Stern (2018),
 * https://arxiv.org/abs/1804.04235.
 */
export class Adafactor extends /* @__PURE__ */ optimizerClass(adafactor) {}
