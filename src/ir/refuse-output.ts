/** What to say to a rule that returned something else than the new value of a slot. */
import { Prose, RuleError, show } from "../errors.ts";
import type { Trace } from "./trace.ts";

/** @throws {RuleError} `MISSING_OUTPUT` for what a rule returned, or did not return, for a slot. */
export function refuseOutput(
  { subject, slots }: Trace,
  slot: string,
  value: unknown,
  outputs: unknown,
): never {
  const wanted = `{ ${slots.filter((_, i) => i !== 1).join(", ")} }`;
  const isPromise = typeof (outputs as { then?: unknown } | undefined)?.then === "function";
  throw new RuleError("MISSING_OUTPUT", {
    subject: `${subject}: what step() returned for ${show(slot)}`,
    got: isPromise ? new Prose("a promise") : value,
    expected: "a tensor",
    advice: isPromise
      ? "step() must not be async."
      : `Return every slot, also one that did not change: ${wanted}.`,
  });
}
