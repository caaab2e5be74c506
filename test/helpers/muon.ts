/** Muon in plain float64, and what its tests on the CPU and on a GPU have in common. */
import { expect } from "vitest";
import type { Muon } from "../../src/index.ts";
import type { GoldenCase } from "./golden-case.ts";
import { iterate, map, type Matrix } from "./newton-schulz.ts";

export type MuonOptions = NonNullable<ConstructorParameters<typeof Muon>[1]>;
export type MatrixShape = [rows: number, columns: number];

const defaults = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315] as readonly [number, number, number],
  eps: 1e-7,
  nsSteps: 5,
  adjustLrFn: null as string | null,
};

/** A step as PyTorch's documentation has it. */
export function plainStep(
  p: Matrix,
  g: Matrix,
  buffer: Matrix,
  options: MuonOptions,
): [Matrix, Matrix] {
  const h = { ...defaults, ...options };
  const [rows, columns] = [p.length, p[0]!.length];
  const mean = map(buffer, g, (x, y) => h.momentum * x + (1 - h.momentum) * y);
  const update = h.nesterov ? map(g, mean, (x, y) => (1 - h.momentum) * x + h.momentum * y) : mean;
  const length = Math.max(Math.hypot(...update.flat()), h.eps);
  const x = iterate(
    map(update, update, (each) => each / length),
    h.nsCoefficients,
    h.nsSteps,
  );
  const scale =
    h.adjustLrFn === "match_rms_adamw"
      ? 0.2 * Math.sqrt(Math.max(rows, columns))
      : Math.sqrt(Math.max(1, rows / columns));
  return [map(p, x, (each, o) => each * (1 - h.lr * h.weightDecay) - h.lr * scale * o), mean];
}

/** Sets of options in which every number and choice occurs. */
export const variants: readonly MuonOptions[] = [
  { lr: 0.1 },
  { lr: 0.1, nesterov: false, momentum: 0.5, nsSteps: 0 },
  { lr: 0.1, adjustLrFn: "match_rms_adamw", weightDecay: 0, nsSteps: 1 },
  { lr: 0.1, adjustLrFn: "original", nsCoefficients: [2, -1.5, 0.5], nsSteps: 2, eps: 100 },
];

/** A run of a case that was recorded of PyTorch, which iterates in bfloat16: to what that allows. */
export function expectNearBfloat16(
  golden: GoldenCase,
  trajectory: readonly Readonly<Record<string, ArrayLike<number>>>[],
  state: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): void {
  const expectNear = (ours: ArrayLike<number>, theirs: ArrayLike<number>): void => {
    expect(ours).toHaveLength(theirs.length);
    for (let i = 0; i < ours.length; i++) {
      expect(Math.abs(ours[i]! - theirs[i]!)).toBeLessThan(3e-3);
    }
  };
  trajectory.forEach((values, step) => {
    for (const [key, ours] of Object.entries(values)) expectNear(ours, golden.params[step]![key]!);
  });
  for (const [key, slots] of Object.entries(golden.state)) {
    expect(Object.keys(state[key]!)).toEqual(Object.keys(slots));
    const ours = state[key]!["momentum_buffer"] as ArrayLike<number>;
    expectNear(ours, slots["momentum_buffer"] as number[]);
  }
}
