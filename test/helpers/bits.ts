/** Comparing numbers bit for bit, where all NaNs are one: WebAssembly leaves their payload open. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { Optimizer, Parameter, TypedArray } from "../../src/index.ts";

/** The bits of floats as text: in hexadecimal, or a digest of many. */
export function bits(values: TypedArray): string {
  const copy = values.slice();
  for (let i = 0; i < copy.length; i++) if (Number.isNaN(copy[i])) copy[i] = NaN;
  const bytes = new Uint8Array(copy.buffer);
  if (bytes.length <= 512) return Buffer.from(bytes).toString("hex");
  return createHash("sha1").update(bytes).digest("hex");
}

/** Everything that steps can change: data, gradients, state, counts and hyperparameters. */
export function imprint(
  optimizer: Pick<Optimizer, "stateDict">,
  parameters: readonly Parameter[],
): Record<string, unknown> {
  const seen: Record<string, unknown> = {};
  parameters.forEach((p, index) => {
    seen[`data ${index}`] = bits(p.data);
    seen[`grad ${index}`] = p.grad && bits(p.grad);
  });
  const { state, paramGroups } = optimizer.stateDict();
  for (const [key, slots] of Object.entries(state)) {
    for (const [slot, value] of Object.entries(slots)) {
      seen[`${slot} of ${key}`] = typeof value === "number" ? value : bits(value);
    }
  }
  seen["groups"] = JSON.stringify(paramGroups);
  return seen;
}

/** Runs `act`, which must throw, and holds parameters, state and counts to what they were. */
export function expectUnchanged(
  optimizer: Pick<Optimizer, "stateDict">,
  parameters: readonly Parameter[],
  act: () => void,
): void {
  const before = imprint(optimizer, parameters);
  expect(act).toThrow();
  expect(imprint(optimizer, parameters)).toEqual(before);
}

/** Whether a number is subnormal in its array's own type. */
export function isSubnormal(value: number, like: TypedArray): boolean {
  const least = like instanceof Float32Array ? 2 ** -126 : 2 ** -1022;
  return value !== 0 && Math.abs(value) < least;
}
