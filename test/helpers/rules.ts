/** The rules with a few sets of options each, and a rule of one's own that reduces and averages. */
import {
  abs,
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  ASGD,
  columnMean,
  columnSum,
  defineOptimizer,
  dot,
  ema,
  emaSq,
  gt,
  isMatrix,
  max,
  Muon,
  NAdam,
  norm,
  parameter,
  RAdam,
  RMSprop,
  rowMean,
  rowSum,
  Rprop,
  SGD,
  sq,
  sqrt,
  where,
  type Optimizer,
  type Parameter,
  type PlanOptions,
  type Rule,
} from "../../src/index.ts";

/** Normalized momentum: its step has the length of the parameter, and it shrinks if it overshoots. */
export const Normed = defineOptimizer({
  name: "Normed",
  hyper: { lr: 1e-2, b: 0.9 },
  domain: { lr: "[0, inf)", b: "[0, 1)" },
  state: { m: "average", s: "spread" },
  step({ p, g, m, s }, { lr, b, t }) {
    const mean = ema(m, g, b);
    const spread = emaSq(s, g, b);
    const size = norm(p).div(norm(mean).add(1e-6));
    const along = where(gt(dot(g, mean), 0), 1, 0.5);
    const step = mean.mul(size.mul(along).mul(lr / (1 - b ** t)));
    return { p: p.sub(step.div(sqrt(spread).add(sq(size)))), m: mean, s: spread };
  },
});

/** Momentum freed of the means of its rows and columns, over a spread of both; vectors just descend. */
export const Balanced = defineOptimizer({
  name: "Balanced",
  hyper: { lr: 1e-2, b: 0.9 },
  domain: { lr: "[0, inf)", b: "[0, 1)" },
  state: { m: "average" },
  rows: { r: "row_spread" },
  columns: { c: "column_spread" },
  step({ p, g, m, r, c }, { lr, b }) {
    if (!isMatrix(p)) return { p: p.sub(g.mul(lr)), m, r, c };
    const average = ema(m, g.sub(rowMean(g)).sub(columnMean(g)), b);
    const rows = ema(r, rowMean(sq(average)), b);
    const columns = max(c, columnSum(abs(average)));
    const balance = rowMean(columns);
    const along = where(gt(columnMean(rows), balance), 1, 0.5);
    const spread = sqrt(rows.mul(columns))
      .add(balance)
      .add(norm(average).div(norm(p).add(1)));
    const step = average.div(spread.add(1e-6)).mul(along.mul(lr));
    return { p: p.sub(step.sub(rowSum(step).mul(0.1))), m: average, r: rows, c: columns };
  },
});

type Options = Readonly<Record<string, unknown>>;

interface Maker {
  new (params: never, options: never): unknown;
  readonly rule: unknown;
}

const table: readonly (readonly [Maker, readonly Options[]])[] = [
  [
    SGD,
    [
      {},
      { momentum: 0.9 },
      { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
      { momentum: 0.5, dampening: 0.25, maximize: true },
    ],
  ],
  [RMSprop, [{}, { momentum: 0.9, weightDecay: 0.1 }, { centered: true, momentum: 0.5, eps: 0.1 }]],
  [
    Adam,
    [
      {},
      { amsgrad: true, weightDecay: 0.1 },
      { betas: [0.3, 0.6], decoupledWeightDecay: true, weightDecay: 0.1, maximize: true },
    ],
  ],
  [AdamW, [{}, { lr: 0.1, amsgrad: true }]],
  [Adagrad, [{}, { lrDecay: 0.1, initialAccumulatorValue: 0.5, weightDecay: 0.1, maximize: true }]],
  [Adadelta, [{}, { rho: 0.5, weightDecay: 0.1, maximize: true }]],
  [Adamax, [{}, { betas: [0.3, 0.6], weightDecay: 0.1, maximize: true }]],
  [NAdam, [{}, { decoupledWeightDecay: true, weightDecay: 0.1, momentumDecay: 0.1 }]],
  [RAdam, [{}, { betas: [0.3, 0.6], weightDecay: 0.1, maximize: true }]],
  [ASGD, [{}, { t0: 1, lambd: 0.1, weightDecay: 0.1, maximize: true }]],
  [Rprop, [{}, { etas: [0.3, 1.5], stepSizes: [1e-3, 1], maximize: true }]],
  [
    Muon,
    [
      {},
      { lr: 0.1, nesterov: false, weightDecay: 0, adjustLrFn: "match_rms_adamw", nsSteps: 2 },
      { momentum: 0.3, nsCoefficients: [1.5, -0.5, 0], nsSteps: 3, eps: 0.1 },
    ],
  ],
  [
    Adafactor,
    [{}, { lr: 0.1, beta2Decay: -0.5, d: 2, eps: [1e-8, 0.01], weightDecay: 0.1, maximize: true }],
  ],
  [Balanced, [{}]],
  [Normed, [{}]],
];

/** One rule with options. */
export interface RuleCase {
  readonly title: string;
  readonly name: string;
  readonly options: Options;
  readonly rule: Rule;
  readonly create: (params: readonly unknown[], more?: PlanOptions | Options) => Optimizer;
}

export const ruleCases: readonly RuleCase[] = table.flatMap(([maker, all]) =>
  all.map((options) => ({
    title: `${maker.name} ${JSON.stringify(options)}`,
    name: maker.name,
    options,
    rule: maker.rule as Rule,
    create: (params, more = {}) =>
      new maker(params as never, { ...options, ...more } as never) as Optimizer,
  })),
);

/** Numbers in (-1, 1) that look random and are the same every time. */
export function noise(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return ((state >>> 8) / 2 ** 23 - 1) * (1 - 2 ** -24);
  };
}

/** What noises begin with, by their seed: most tests begin with the same. */
const beginnings = new Map<number, Float64Array>();

/** The first numbers of {@link noise}, in pieces of the given sizes; not to be written to. */
function noisePieces(seed: number, sizes: readonly number[]): Float64Array[] {
  const count = sizes.reduce((sum, n) => sum + n, 0);
  let numbers = beginnings.get(seed);
  if (!numbers || numbers.length < count) {
    const next = noise(seed);
    numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) numbers[i] = next();
    beginnings.set(seed, numbers);
  }
  let at = 0;
  return sizes.map((size) => numbers.subarray(at, (at += size)));
}

/**
 * Parameters of the given shapes, or matrices of the given sizes, as square as can be; filled with noise
 * and without gradients.
 */
export function noisyParameters(
  sizes: readonly (number | readonly number[])[],
  dtype: "float32" | "float64" = "float32",
): Parameter[] {
  const shapes = sizes.map((given, index) =>
    typeof given === "number" ? shapeOf(given, index % 2 === 1) : given,
  );
  const counts = shapes.map((shape) => shape.reduce((product, n) => product * n, 1));
  return noisePieces(sizes.length + 1, counts).map((piece, index) => {
    const options = { name: `w${index}`, shape: shapes[index]! };
    return parameter(dtype === "float32" ? new Float32Array(piece) : piece, options);
  });
}

function shapeOf(size: number, isTall: boolean): number[] {
  let less = Math.floor(Math.sqrt(size));
  while (less > 1 && size % less !== 0) less--;
  const more = less > 0 ? size / less : 0;
  return isTall ? [more, less] : [less, more];
}

/** Sets every gradient to noise that depends on the step. */
export function setNoisyGrads(parameters: readonly Parameter[], step: number): void {
  const pieces = noisePieces(
    step + 17,
    parameters.map(({ size }) => size),
  );
  parameters.forEach((p, i) => p.ensureGrad({ zero: false }).set(pieces[i]!));
}
