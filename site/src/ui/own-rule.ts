/** A rule of the reader's own, as the rooms hand it on: its text goes in the address, as `rule`. */
import type { Rule } from "downhill";
import type { Field, Value } from "./hyper.ts";
import type { Marker } from "./marker.ts";

/** Its key among the optimizers of a room; hyperparameters stand in the address as `yours.lr=…`. */
export const yours = "yours";

/** No other optimizer has these. */
export const yourLooks: {
  readonly color: string;
  readonly dash: readonly number[];
  readonly marker: Marker;
} = { color: "own", dash: [11, 3], marker: "hourglass" };

/** What it is called beside others. */
export const yourLabel = (name: string): string => (name === "Rule" ? "Yours" : `${name}, yours`);

/** What of a rule can be set in a page: its learning rate, if it has one, and all else. */
export function settable(hyper: Rule["hyper"]): {
  readonly lr: number | undefined;
  readonly fields: readonly Field[];
} {
  const { lr } = hyper;
  const fields = Object.entries(hyper as Readonly<Record<string, Value>>).flatMap(
    ([name, value]): Field[] =>
      name !== "lr" && isSettable(value) ? [{ name, value: value as Field["value"] }] : [],
  );
  return { lr: typeof lr === "number" ? lr : undefined, fields };
}

function isSettable(value: Value): boolean {
  if (Array.isArray(value)) return value.length === 2;
  return typeof value === "number" || typeof value === "boolean";
}
