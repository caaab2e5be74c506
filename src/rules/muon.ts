/**
 * Muon: momentum, made orthogonal; for the weight matrices between the layers of a network.
 *
 *     m ← m + (1 - μ)·(g - m)
 *     u = g + μ·(m - g)           (Nesterov; without: u = m)
 *     O = orthogonalize(u)        (u's singular vectors, with singular values near 1)
 *     p ← (1 - lr·wd)·p - lr·s·O
 *
 * s is √max(1, rows/columns), or 0.2·√max(rows, columns), which gives updates of AdamW's size, so that its
 * lr and weight decay can be kept. Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/;
 * the second s: Liu et al. (2025), https://arxiv.org/abs/2502.16982. PyTorch iterates in bfloat16, this in
 * the parameter's own type.
 */
import { orthogonalize } from "../backend/matrix/orthogonalize.ts";
import { rule } from "../ir/rule.ts";
import { columnsOf, rowsOf } from "../ir/shape-words.ts";
import { lerp } from "../ir/words.ts";

export const muon = /* @__PURE__ */ rule({
  name: "Muon",
  formula: `
    m = momentum * m + (1 - momentum) * g
    u = momentum * m + (1 - momentum) * g          (u = m if not nesterov)
    X = u / max(|u|, eps)
    X = a * X + (b * A + c * A * A) * X with A = X * X^T, nsSteps times
    s = sqrt(max(1, rows / columns))               (match_rms_adamw: 0.2 * sqrt(max(rows, columns)))
    p = (1 - lr * weightDecay) * p - lr * s * X`,
  hyper: {
    lr: 1e-3,
    weightDecay: 0.1,
    momentum: 0.95,
    nesterov: true,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    eps: 1e-7,
    nsSteps: 5,
    adjustLrFn: null as "original" | "match_rms_adamw" | null,
  },
  domain: {
    lr: "[0, inf)",
    weightDecay: "[0, inf)",
    momentum: "[0, inf)",
    eps: "[0, inf)",
    nsSteps: "[0, 100)",
    adjustLrFn: [null, "original", "match_rms_adamw"],
  },
  state: { m: "momentum_buffer" },
  counted: false,
  matrices: true,
  check({ nsSteps }) {
    if (Number.isInteger(nsSteps)) return undefined;
    return { option: "nsSteps", expected: "a whole number" };
  },
  step({ p, g, m }, h) {
    const { lr, weightDecay, momentum, nsCoefficients: coefficients, nsSteps: steps, eps } = h;
    const mean = lerp(m, g, 1 - momentum);
    const update = h.nesterov ? lerp(g, mean, momentum) : mean;
    const direction = orthogonalize(update, { coefficients, steps, eps });
    const rows = rowsOf(p);
    const columns = columnsOf(p);
    const scale =
      h.adjustLrFn === "match_rms_adamw"
        ? 0.2 * Math.sqrt(Math.max(rows, columns))
        : Math.sqrt(Math.max(1, rows / Math.max(1, columns)));
    return { p: p.mul(1 - lr * weightDecay).sub(direction.mul(lr * scale)), m: mean };
  },
});
