/** The rules that have a text, and options of which all combinations are tried. */
import * as downhill from "../../src/index.ts";
import type * as formulas from "../../src/math/formulas/index.ts";

/** What each option is set to; all combinations are tried. */
const table: Record<keyof typeof formulas, { rule: unknown; options: Record<string, unknown[]> }> =
  {
    SGD: {
      rule: downhill.sgd,
      options: {
        momentum: [0, 0.9],
        dampening: [0, 0.3],
        weightDecay: [0, 0.1],
        nesterov: [false, true],
        maximize: [false, true],
      },
    },
    RMSprop: {
      rule: downhill.rmsprop,
      options: {
        alpha: [0.99, 0.3],
        weightDecay: [0, 0.1],
        momentum: [0, 0.9],
        centered: [false, true],
        maximize: [false, true],
      },
    },
    Adam: {
      rule: downhill.adam,
      options: {
        lr: [1e-3, 0.1],
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        amsgrad: [false, true],
        maximize: [false, true],
        decoupledWeightDecay: [false, true],
      },
    },
    AdamW: {
      rule: downhill.adamw,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [1e-2, 0],
        amsgrad: [false, true],
        maximize: [false, true],
      },
    },
    Adagrad: {
      rule: downhill.adagrad,
      options: {
        lrDecay: [0, 0.1],
        weightDecay: [0, 0.1],
        initialAccumulatorValue: [0, 0.5],
        maximize: [false, true],
      },
    },
    Adadelta: {
      rule: downhill.adadelta,
      options: { rho: [0.9, 0.3], weightDecay: [0, 0.1], maximize: [false, true] },
    },
    Adamax: {
      rule: downhill.adamax,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        maximize: [false, true],
      },
    },
    NAdam: {
      rule: downhill.nadam,
      options: {
        weightDecay: [0, 0.1],
        momentumDecay: [4e-3, 0.5],
        decoupledWeightDecay: [false, true],
        maximize: [false, true],
      },
    },
    RAdam: {
      rule: downhill.radam,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        decoupledWeightDecay: [false, true],
        maximize: [false, true],
      },
    },
    ASGD: {
      rule: downhill.asgd,
      options: { t0: [1e6, 2], alpha: [0.75, 2], weightDecay: [0, 0.1], maximize: [false, true] },
    },
    Rprop: {
      rule: downhill.rprop,
      options: {
        etas: [
          [0.5, 1.2],
          [0.1, 3],
        ],
        stepSizes: [
          [1e-6, 50],
          [1e-3, 1],
        ],
        maximize: [false, true],
      },
    },
    SparseAdam: {
      rule: downhill.sparseAdam,
      options: { lr: [1e-3, 0.1], maximize: [false, true] },
    },
  };

export interface FormulaCase {
  readonly rule: downhill.Rule;
  readonly options: Readonly<Record<string, readonly unknown[]>>;
}

export const formulaCases = table as Readonly<Record<string, FormulaCase>>;
