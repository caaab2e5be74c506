/**
 * Adafactor: Adam's second moment of a matrix from the sums of its rows and columns alone, and steps
 * relative to the size of the parameter.
 *
 *     ρ = min(lr, 1/√t),   α = max(ε₂, RMS(p))·ρ,   β = 1 - t^beta2Decay
 *     R ← β·R + (1 - β)·mean of each row of g²
 *     C ← β·C + (1 - β)·mean of each column of g²
 *     V = R·C / mean(R)                                            (the outer product, never stored)
 *     U = g / √max(V, ε₁²),   p ← p - α·U / max(1, RMS(U)/d)
 *
 * Vectors keep V itself: V ← β·V + (1 - β)·g². Dimensions before the last two count matrices. ε₁ is the
 * machine epsilon of the parameter's type unless it is given. lr is the most that a relative step may
 * be. Weight decay is decoupled: p ← (1 - lr·wd)·p, once α is known. Shazeer and Stern (2018),
 * https://arxiv.org/abs/1804.04235, without first moment; options as in PyTorch.
 */
import { columnMean, rowMean } from "../backend/lines/words.ts";
import type { Expr, Tensor } from "../ir/expr.ts";
import { rule } from "../ir/rule.ts";
import { isMatrix } from "../ir/shape-words.ts";
import { div, fma, machineEpsilon, max, min, neg, norm, sizeOf, sq, sqrt } from "../ir/words.ts";

/** lerp with one rounding at its end, as PyTorch's float32 kernels have it. */
const ease = <X extends Expr>(a: X, b: X, share: number) => {
  const difference = b.sub(a);
  return (share < 0.5 ? fma(difference, share, a) : fma(difference, share - 1, b)) as Expr as X;
};
const inverseRoot = <X extends Expr>(x: X) => div(1, sqrt(x));
const rms = (x: Tensor) => norm(x).div(sqrt(sizeOf(x)));

export const adafactor = /* @__PURE__ */ rule({
  name: "Adafactor",
  formula: `
    alpha = max(eps[1], RMS(p)) * min(lr, 1 / sqrt(t))
    R = R + t^beta2Decay * (rowMean(g^2) - R)
    C = C + t^beta2Decay * (columnMean(g^2) - C)
    U = g / sqrt(max(R * C / mean(R), eps[0]^2))
    p = (1 - lr * weightDecay) * p - alpha * U / max(1, RMS(U) / d)`,
  hyper: {
    lr: 1e-2,
    beta2Decay: -0.8,
    eps: [null, 1e-3],
    d: 1,
    weightDecay: 0,
    maximize: false,
  },
  domain: {
    lr: "[0, inf)",
    beta2Decay: "(-inf, 0]",
    eps: "[0, inf)",
    d: "[1, inf)",
    weightDecay: "[0, inf)",
  },
  state: { v: "variance" },
  rows: { r: "row_var" },
  columns: { c: "col_var" },
  step({ p, g, v, r, c }, { lr, beta2Decay, eps, d, weightDecay, maximize, t }) {
    const smallest = eps[0] ?? machineEpsilon(p);
    const share = t ** beta2Decay;
    const alpha = max(rms(p), eps[1]).mul(Math.min(lr, 1 / Math.sqrt(t)));
    if (maximize) g = neg(g);
    let inverse: Tensor;
    if (isMatrix(p)) {
      r = ease(r, rowMean(sq(g)), share);
      c = ease(c, columnMean(sq(g)), share);
      // 1/√V is an outer product as V is, so no element takes a root or a division.
      inverse = inverseRoot(r.div(max(columnMean(r), smallest))).mul(inverseRoot(c));
    } else inverse = inverseRoot((v = ease(v, sq(g), share)));
    const update = g.mul(smallest > 0 ? min(inverse, 1 / smallest) : inverse);
    const shrink = max(rms(update).div(d), 1);
    const decayed = weightDecay !== 0 ? p.mul(1 - lr * weightDecay) : p;
    return { p: decayed.sub(update.mul(alpha.div(shrink))), v, r, c };
  },
});
