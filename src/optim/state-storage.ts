/** The options that say in what type an optimizer keeps its state, and the rule that does so. */
import { OptionError, ParameterError } from "../errors.ts";
import type { Rounding } from "../ir/bfloat16.ts";
import type { Rule } from "../ir/rule.ts";
import type { ParameterFacts } from "./entry.ts";

/** In what type state is kept. All arithmetic is in the parameter's type in any case. */
export interface StateOptions {
  /**
   * `"same"` (default): in the parameter's type. `"bfloat16"`: state tensors take half the memory, and steps move
   * less: Adam 20 instead of 28 bytes per parameter. Rounding costs instructions, so steps become faster only
   * where memory, not the processor, sets their pace. Parameters must be float32. What rows and columns have
   * (Adafactor), numbers and averages of parameters stay as they are. State dicts hold float32 in both cases
   * and may go from one to the other; loading rounds to nearest.
   */
  readonly stateDtype?: "same" | "bfloat16";
  /**
   * How new state becomes bfloat16: `"nearest"` (default), of two neighbours the even one, or `"stochastic"`: to
   * either neighbour, the nearer one more often, so that on average nothing is lost. With the former an average
   * stands still where a step changes it by less than 1/512 of itself, as with betas[1] = 0.999. The dice of the latter
   * follow from the step's number and an element's place in memory: a run can be repeated, and continues from a
   * state dict as it would have.
   */
  readonly stateRounding?: Rounding;
}

/** Names of {@link StateOptions}. */
export const stateKeys: readonly string[] = ["stateDtype", "stateRounding"];

/** The rule, with its state in the type that the options say. @throws {OptionError} */
export function withStorage(rule: Rule, options: StateOptions): Rule {
  const { stateDtype = "same", stateRounding = "nearest" } = options;
  const bad = (name: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `${rule.name}: ${name}`, got, expected });
  };
  if (stateDtype !== "same" && stateDtype !== "bfloat16") {
    bad("stateDtype", stateDtype, '"same" or "bfloat16"');
  }
  if (stateRounding !== "nearest" && stateRounding !== "stochastic") {
    bad("stateRounding", stateRounding, '"nearest" or "stochastic"');
  }
  if (stateDtype === "same") {
    if (stateRounding === "nearest") return rule;
    bad("stateRounding", stateRounding, 'it beside stateDtype: "bfloat16"');
  }
  const slots = rule.slotRanks.map((rank, slot) =>
    slot >= 2 && rank === "tensor" ? "bfloat16" : "element",
  );
  const stored = { ...rule, stateStorage: { slots, rounding: stateRounding } };
  // Dice want a count of steps. State dicts of the rule itself have none.
  if (stateRounding === "nearest" || rule.counted) return stored;
  const optionalNumbers = [...(rule.optionalNumbers ?? []), "step"];
  return { ...stored, counted: true, optionalNumbers };
}

/** Refuses parameters whose state cannot be kept as the rule wants it. @throws {ParameterError} */
export function checkStorage(rule: Rule, parameters: readonly ParameterFacts[]): void {
  if (!rule.stateStorage) return;
  for (const { dtype, label } of parameters) {
    if (dtype === "float32") continue;
    throw new ParameterError("DTYPE_MISMATCH", {
      subject: `${rule.name}: ${label}`,
      got: dtype,
      expected: '"float32", as stateDtype is "bfloat16"',
      advice: 'Leave stateDtype out, or make the parameter with { dtype: "float32" }.',
    });
  }
}
