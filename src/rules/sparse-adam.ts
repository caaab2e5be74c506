/**
 * SparseAdam: Adam for large tables of which a batch touches a few rows. Rows without a gradient rest:
 * neither they nor their moments decay.
 *
 *     m ← m + (1 - b1)·(g - m)
 *     v ← v + (1 - b2)·(g² - v)
 *     p ← p - lr·√(1 - b2ᵗ)/(1 - b1ᵗ) · m / (√v + eps)     in the rows of the gradient alone
 *
 * t counts the steps of the whole parameter, so the correction of a row that comes late is smaller than
 * its moments would need. eps is added before the correction: with all rows it is Adam but for eps. As
 * `torch.optim.SparseAdam`, whose formula is Kingma and Ba's (2015) in the order of the end of their
 * section 2, https://arxiv.org/abs/1412.6980.
 */
import { rule } from "../ir/rule.ts";
import { neg, pow, sq, sqrt } from "../ir/words.ts";

export const sparseAdam = /* @__PURE__ */ rule({
  name: "SparseAdam",
  hyper: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, maximize: false },
  domain: { lr: "(0, inf)", betas: "[0, 1)", eps: "(0, inf)" },
  state: { m: "exp_avg", v: "exp_avg_sq" },
  sparse: { only: true },
  step({ p, g, m, v }, { lr, betas: [b1, b2], eps, maximize, t }) {
    if (maximize) g = neg(g);
    const mean = m.add(g.sub(m).mul(1 - b1));
    const square = v.add(
      sq(g)
        .sub(v)
        .mul(1 - b2),
    );
    const size = (lr * Math.sqrt(1 - pow(b2, t))) / (1 - pow(b1, t));
    return { p: p.sub(mean.div(sqrt(square).add(eps)).mul(size)), m: mean, v: square };
  },
});
