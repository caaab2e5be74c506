/**
 * What a run of a recorded case must be like on WebGPU: within what the CPU is held to, plus a few ulps for
 * what rounds otherwise on a GPU; and on SwiftShader, which rounds each operation as the interpreter does
 * (test/webgpu/operations.test.ts), with the interpreter's bits.
 */
import { expect } from "vitest";
import type { GoldenCase } from "./golden-case.ts";
import { expectParameters, expectState } from "./golden-law.ts";
import { runCase } from "./golden.ts";
import { listed, type GpuOptimizerName, type GpuRun } from "./gpu-golden.ts";
import { unfusedInterp } from "./unfused.ts";

/**
 * Ulps of the largest number that is compared, on top of what the CPU is held to, on a driver that rounds as
 * it likes within WGSL's limits: twelve recorded steps of any rule stay well within them
 * (test/webgpu/any-driver.test.ts).
 */
export const ANY_DRIVER = 8;
/** The same on SwiftShader, where only an fma is rounded otherwise, and what is summed over a tensor. */
const swiftShader: Partial<Record<GpuOptimizerName, number>> = { Adafactor: 1, Adagrad: 1 };
/** Rules with sums over a tensor, which a GPU adds up in float32 and in an order of its own. */
export const withSums: ReadonlySet<GpuOptimizerName> = new Set(["Adafactor"]);

/** What all runs of a case are to be, to the bit. */
const oracles = new WeakMap<GoldenCase, GpuRun>();

function oracleOf(name: GpuOptimizerName, golden: GoldenCase, run: GpuRun): GpuRun {
  let oracle = oracles.get(golden);
  if (oracle) return oracle;
  if (withSums.has(name)) oracle = run;
  else {
    const { trajectory, optimizer } = runCase(name, golden, { backend: unfusedInterp });
    oracle = {
      trajectory: trajectory.map((values) =>
        Object.fromEntries(Object.entries(values).map(([key, part]) => [key, Array.from(part)])),
      ),
      state: listed(optimizer.stateDict().state),
    };
  }
  oracles.set(golden, oracle);
  return oracle;
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
  if (onSwiftShader) expect(run).toEqual(oracleOf(name, golden, run));
}
