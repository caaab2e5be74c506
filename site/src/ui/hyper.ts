/** Hyperparameters as the rooms set them. */

/** A hyperparameter's value; a pair is two numbers. */
export type Value = number | boolean | string | null | readonly [number, number];

/** A hyperparameter that can be set, by its name in the library. */
export interface Field {
  readonly name: string;
  readonly value: Exclude<Value, null>;
  /** What may be chosen, for a name. */
  readonly choices?: readonly string[];
}

/** What a reader has set for one optimizer, by name. */
export type Changes = Readonly<Record<string, Value>>;
