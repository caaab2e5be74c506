/** What to say to rules that use something else than values of their call, or return it. */
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

/** @throws {RuleError} `NOT_AN_OPERAND`. */
export function refuseOperand({ subject }: Trace, x: unknown): never {
  throw new RuleError("NOT_AN_OPERAND", {
    subject: `${subject}: an operand`,
    got: x,
    expected: "a number, or a tensor or scalar of this rule",
  });
}

/** @throws {RuleError} `STALE_TENSOR`. */
export function refuseForeign({ subject }: Trace): never {
  throw new RuleError("STALE_TENSOR", {
    subject: `${subject}: an operand`,
    got: new Prose("a tensor of an earlier step or of another rule"),
    expected: "a tensor of this call",
    advice: "A rule must be pure: keep nothing between calls but what it returns.",
  });
}

/** @throws {RuleError} `NOT_A_MATRIX` for a word of matrices in a rule that takes any parameters. */
export function refuseMatrixWord({ subject }: Trace, word: string): never {
  throw new RuleError("NOT_A_MATRIX", {
    subject: `${subject}: ${word}`,
    got: new Prose("a rule for parameters of any shape"),
    expected: "one for matrices alone",
    advice: "Say so in the rule: { matrices: true, ... }.",
  });
}
