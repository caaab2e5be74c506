/**
 * What to expect of GPUs that are not at hand: with operations that round as badly as WGSL allows, by
 * chance, the recorded trajectories stay within the bound that steps on any driver are held to.
 */
import { describe, expect, test } from "vitest";
import { InterpBackend } from "../../src/backend/interp.ts";
import { goldenCases, runCase } from "../helpers/golden.ts";
import { expectParameters, expectState } from "../helpers/golden-law.ts";
import { gpuNames } from "../helpers/gpu-golden.ts";
import { ANY_DRIVER, withSums } from "../helpers/gpu-law.ts";
import { RoughBackend } from "../helpers/rough.ts";

/** The rough backend goes element by element. */
const names = gpuNames.filter((name) => !withSums.has(name));

describe.each(names)("%s", (name) => {
  const cases = goldenCases(name);
  test.each([1, 2, 3, 4])("as rough as WGSL allows, %s", (seed) => {
    cases.forEach((golden, i) => {
      if (golden.dtype !== "float32") return;
      const { trajectory, optimizer } = runCase(name, golden, { backend: new RoughBackend(seed) });
      expectParameters(golden, cases[i + 1]!, trajectory, ANY_DRIVER);
      expectState(golden, cases[i + 1]!, optimizer.stateDict().state, ANY_DRIVER);
      const exact = runCase(name, golden, { backend: new InterpBackend() });
      expect(trajectory).not.toEqual(exact.trajectory);
    });
  });
});
