/** Numbers and hyperparameters as they stand in addresses; `null` for what makes no sense. */
import type { Field, Value } from "./hyper.ts";

export function numberIn(text: string | null): number | null {
  if (text === null || text.trim() === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

export function numbersIn(text: string | null, count: number): number[] | null {
  const values = text?.split(",").map(numberIn) ?? [];
  return values.length === count && values.every((value) => value !== null) ? values : null;
}

/** What an address gives for a hyperparameter, or `null` if it is none of the optimizer's. */
export function valueIn(fields: readonly Field[], name: string, text: string): Value {
  if (name === "lr") return numberIn(text);
  const field = fields.find((known) => known.name === name);
  if (!field) return null;
  const { value, choices } = field;
  if (choices) return choices.includes(text) ? text : null;
  if (typeof value === "boolean") return text === "true" ? true : text === "false" ? false : null;
  if (typeof value === "number") return numberIn(text);
  return numbersIn(text, 2) as [number, number] | null;
}
