/**
 * Which parameters hold their averages at the moment: a step would train those, and saving would save
 * them, so both are refused until the parameters are back.
 */
import { AverageError, Prose } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";

/** How many averages are swapped in, and the parameters that hold them. */
export const swapped = { count: 0, parameters: /* @__PURE__ */ new WeakSet<Parameter>() };

/** @throws {AverageError} `SWAPPED_IN` if any of the parameters holds its average. */
export function refuseSwapped(
  subject: string,
  entries: readonly { readonly parameter: Parameter }[],
): void {
  const found = entries.find(({ parameter }) => swapped.parameters.has(parameter));
  if (!found) return;
  throw new AverageError("SWAPPED_IN", {
    subject,
    got: new Prose(`${found.parameter.label} with its average swapped in`),
    expected: "the parameters themselves",
    advice: "Call swapOut() first, or let the block of `using` end.",
  });
}
