/**
 * Truth: every recorded case of PyTorch, in both types, on every backend and plan: within what
 * ./helpers/golden-law.ts says, and all ways to run agree with the interpreter bit for bit.
 */
import { describe, expect, test } from "vitest";
import { ways } from "./helpers/backends.ts";
import { expectParameters, expectState } from "./helpers/golden-law.ts";
import { goldenCases, recorded, runCase, type OptimizerName } from "./helpers/golden.ts";

const names = Object.keys(recorded) as OptimizerName[];

describe.each(names)("%s", (name) => {
  const cases = goldenCases(name);
  test("every case has its float64 twin", () => {
    expect(cases.length).toBeGreaterThanOrEqual(10);
    cases.forEach((golden, i) => {
      expect(golden.dtype).toBe(i % 2 === 0 ? "float32" : "float64");
      if (i % 2 === 0) expect(cases[i + 1]!.options).toEqual(golden.options);
    });
  });

  cases.forEach((golden, i) => {
    const truth = cases[i % 2 === 0 ? i + 1 : i]!;
    const title = `${golden.dtype} ${JSON.stringify(golden.options)}${golden.lr ? ", lr changing" : ""}`;
    const oracle = runCase(name, golden, ways[0]!.options);

    test(`${title}: parameters after every step`, () => {
      expectParameters(golden, truth, oracle.trajectory);
    });

    test(`${title}: state after the last step`, () => {
      expectState(golden, truth, oracle.optimizer.stateDict().state);
    });

    test.each(ways)(`${title}: bit for bit on $name`, ({ options }) => {
      const run = runCase(name, golden, options);
      expect(run.trajectory).toEqual(oracle.trajectory);
      expect(run.optimizer.stateDict()).toEqual(oracle.optimizer.stateDict());
    });
  });
});
