/** A rule of the reader's own as a racer. It has a chunk of its own, as most races read no rules. */
import { MathError, parseRule } from "downhill/math";
import { settable, yourLabel, yourLooks, yours } from "../ui/own-rule.ts";
import type { Racer } from "./racers.ts";

/** Of a text that is no rule as well: what is wrong with it is said where it would race. */
export function ownRacer(text: string): Racer {
  const { name, hyper } = readOrNone(text);
  const { lr, fields } = settable(hyper);
  return {
    key: yours,
    label: yourLabel(name),
    optimizer: name,
    ...yourLooks,
    note: "The rule that this page’s address brings.",
    rate: (rates) => (lr === undefined ? undefined : rates.adaptive),
    fields,
  };
}

function readOrNone(text: string): Pick<ReturnType<typeof parseRule>, "name" | "hyper"> {
  try {
    return parseRule(text);
  } catch (error) {
    if (error instanceof MathError) return { name: "Rule", hyper: {} };
    throw error;
  }
}
