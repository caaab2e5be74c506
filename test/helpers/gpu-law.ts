/**
 * What a run of a recorded case must be like on WebGPU: within what the CPU is held to, plus a few ulps for
 * what rounds otherwise on a GPU; and on SwiftShader, which rounds each operation as the interpreter does
 * (test/webgpu/operations.test.ts), with the interpreter's bits, but for rules with sums.
 */
import { expect } from "vitest";
import type { GoldenCase } from "./golden-case.ts";
import { expectParameters, expectState } from "./golden-law.ts";
import { runCase, type Run } from "./golden.ts";
import type { GpuOptimizerName, GpuRun } from "./gpu-golden.ts";
import { unfusedInterp } from "./unfused.ts";

/**
 * Ulps of the largest number that is compared, on top of what the CPU is held to, on a driver that rounds as
 * it likes within WGSL's limits: twelve recorded steps of any rule stay well within them
 * (test/webgpu/any-driver.test.ts).
 */
export const ANY_DRIVER = 8;
/** The same on SwiftShader, where only an fma is rounded otherwise, and sums are in float32. */
const swiftShader: Partial<Record<GpuOptimizerName, number>> = { Adagrad: 1, Adafactor: 1 };
/** Rules with sums: these are in float32 on a GPU, so bits differ. */
export const withSums: ReadonlySet<GpuOptimizerName> = new Set(["Adafactor"]);

const oracles = new WeakMap<GoldenCase, Run>();
function oracleOf(name: GpuOptimizerName, golden: GoldenCase): Run {
  let run = oracles.get(golden);
  if (!run) oracles.set(golden, (run = runCase(name, golden, { backend: unfusedInterp })));
  return run;
}

/** @param truth the same case in float64. */
export function expectGpuRun(
  name: GpuOptimizerName,
  golden: GoldenCase,
  truth: GoldenCase,
  run: GpuRun,
  onSwiftShader: boolean,
): void {
  const slack = onSwiftShader ? swiftShader[name] : ANY_DRIVER;
  expectParameters(golden, truth, run.trajectory, slack);
  expectState(golden, truth, run.state, slack);
  if (!onSwiftShader || withSums.has(name)) return;
  const { trajectory, optimizer } = oracleOf(name, golden);
  expect(run.trajectory).toEqual(trajectory.map((values) => listed(values)));
  const { state } = optimizer.stateDict();
  for (const [key, slots] of Object.entries(state)) {
    expect(run.state[key], key).toEqual(listed(slots));
  }
}

/** With lists for typed arrays. */
function listed(values: Readonly<Record<string, number | ArrayLike<number>>>): object {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      typeof value === "number" ? value : Array.from(value),
    ]),
  );
}
