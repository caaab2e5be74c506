/** The problems that scripts/torch_lbfgs.py records, with their gradients written out. */
import { readFileSync } from "node:fs";
import {
  LBFGS,
  parameter,
  type DType,
  type LBFGSOptions,
  type Parameter,
} from "../../src/index.ts";
import { camelCase } from "./golden.ts";

type Values = Record<string, number[]>;
type ProblemName = keyof typeof problems;

export interface LbfgsCase {
  readonly problem: ProblemName;
  readonly options: Record<string, number | string>;
  readonly dtype: DType;
  /** After each call of `step`: parameters, the loss returned, and evaluations so far. */
  readonly params: readonly Values[];
  readonly losses: readonly number[];
  readonly evaluations: readonly number[];
  /** How far PyTorch's own runs lie apart that start one bit apart. */
  readonly drift: readonly number[];
}

/** A line search along a polynomial. */
export interface LbfgsSearch {
  readonly coefficients: readonly number[];
  readonly first: number;
  readonly most: number;
  /** Where PyTorch's looked, in order, and what it took. */
  readonly visited: readonly number[];
  readonly found: number;
}

export function lbfgsGolden(): { cases: LbfgsCase[]; searches: LbfgsSearch[] } {
  const file = new URL("../golden/LBFGS.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as { cases: LbfgsCase[]; searches: LbfgsSearch[] };
}

interface Problem {
  readonly start: Record<string, { readonly shape: number[]; readonly values: number[] }>;
  /** Sets gradients and returns the loss. */
  readonly loss: (p: Record<string, Parameter>) => number;
}

/** Σ 100·(xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)² */
function rosenbrock({ x }: Record<string, Parameter>): number {
  const { data } = x!;
  const grad = x!.ensureGrad();
  grad.fill(0);
  let loss = 0;
  for (let i = 0; i + 1 < data.length; i++) {
    const [a, b] = [data[i]!, data[i + 1]!];
    const [valley, rest] = [b - a * a, 1 - a];
    loss += 100 * valley * valley + rest * rest;
    grad[i]! += -400 * a * valley - 2 * rest;
    grad[i + 1]! += 200 * valley;
  }
  return loss;
}

/** Σ cᵢ·(zᵢ - 1)²/2 over both parameters, c from 1 to 10⁴ */
function quadratic({ x, y }: Record<string, Parameter>): number {
  const count = x!.size + y!.size;
  let [at, loss] = [0, 0];
  for (const p of [x!, y!]) {
    const grad = p.ensureGrad({ zero: false });
    for (let i = 0; i < p.size; i++, at++) {
      const scale = 10 ** ((4 * at) / (count - 1));
      const rest = p.data[i]! - 1;
      loss += (scale * rest * rest) / 2;
      grad[i] = scale * rest;
    }
  }
  return loss;
}

/** Softmax regression of three classes from four features, with weight decay. */
function logistic({ weight, bias }: Record<string, Parameter>): number {
  const rows = 24;
  const [dw, db] = [weight!.ensureGrad(), bias!.ensureGrad()];
  db.fill(0);
  let loss = 0;
  for (let i = 0; i < dw.length; i++) {
    const w = weight!.data[i]!;
    dw[i] = 0.02 * w;
    loss += 0.01 * w * w;
  }
  for (let row = 0; row < rows; row++) {
    const x = [0, 1, 2, 3].map((column) => Math.sin(row * 1.7 + column * 2.3));
    const label = Number(x[0]! > 0.3) + Number(x[1]! > 0.5);
    const scores = [0, 1, 2].map((k) =>
      x.reduce((sum, value, j) => sum + value * weight!.data[4 * k + j]!, bias!.data[k]!),
    );
    const highest = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
    loss += (highest + Math.log(total) - scores[label]!) / rows;
    for (let k = 0; k < 3; k++) {
      const share = Math.exp(scores[k]! - highest) / total - Number(k === label);
      db[k]! += share / rows;
      for (let j = 0; j < 4; j++) dw[4 * k + j]! += (share * x[j]!) / rows;
    }
  }
  return loss;
}

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

const problems = {
  rosenbrock: { start: { x: { shape: [2], values: [1.5, 1.5] } }, loss: rosenbrock },
  rosenbrock10: {
    start: { x: { shape: [10], values: Array.from({ length: 10 }, (_, i) => [-1.25, 1][i % 2]!) } },
    loss: rosenbrock,
  },
  quadratic: {
    start: {
      x: { shape: [2, 3], values: zeros(6) },
      y: { shape: [5], values: [2, 2, 2, 2, 2] },
    },
    loss: quadratic,
  },
  logistic: {
    start: {
      weight: { shape: [3, 4], values: zeros(12) },
      unused: { shape: [2], values: [1, 1] },
      bias: { shape: [3], values: zeros(3) },
    },
    loss: logistic,
  },
} satisfies Record<string, Problem>;

export interface LbfgsTask {
  readonly optimizer: LBFGS;
  readonly parameters: Record<string, Parameter>;
  readonly all: readonly Parameter[];
  readonly closure: () => number;
  /** How often the closure has been called. */
  readonly calls: () => number;
}

export function createProblem(
  name: ProblemName,
  dtype: DType,
  options: LBFGSOptions,
  prepare: (all: readonly Parameter[]) => void = () => {},
): LbfgsTask {
  const { start, loss }: Problem = problems[name];
  const parameters = Object.fromEntries(
    Object.entries(start).map(([key, { shape, values }]): [string, Parameter] => [
      key,
      parameter(values, { name: key, shape, dtype }),
    ]),
  );
  const all = Object.values(parameters);
  prepare(all);
  let calls = 0;
  const closure = (): number => {
    calls++;
    return loss(parameters);
  };
  const optimizer = new LBFGS(all, options);
  return { optimizer, parameters, all, closure, calls: () => calls };
}

export function createLbfgsTask(golden: LbfgsCase, options: LBFGSOptions = {}): LbfgsTask {
  const recorded = camelCase(golden.options as Record<string, number>);
  return createProblem(golden.problem, golden.dtype, { ...recorded, ...options });
}
