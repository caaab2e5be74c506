// The rules that come with Downhill, by the names that people type.

import * as downhill from "../index.ts";
import type { HyperDefaults, Rule } from "../index.ts";
import { OptionError } from "../errors.ts";

/** Rules by their names in small letters. */
export const catalog: Readonly<Record<string, Rule>> = Object.fromEntries(
  [
    downhill.sgd,
    downhill.rmsprop,
    downhill.adam,
    downhill.adamw,
    downhill.adagrad,
    downhill.adadelta,
    downhill.adamax,
    downhill.nadam,
    downhill.radam,
    downhill.asgd,
    downhill.rprop,
    downhill.muon,
    downhill.adafactor,
  ].map((rule) => [rule.name.toLowerCase(), rule as unknown as Rule<HyperDefaults>]),
);

/** What one has to know of an optimizer to name it and to set it. */
export type Known = Pick<Rule, "name" | "hyper">;

/** L-BFGS, which is no rule: its group has the defaults. */
function lbfgs(): Known {
  const { params: _, ...hyper } = new downhill.LBFGS([downhill.parameter([0])], {
    backend: "interp",
  }).paramGroups[0];
  return { name: "LBFGS", hyper };
}

/** All that can train a network, likewise. */
export const trainable: Readonly<Record<string, Known>> = { ...catalog, lbfgs: lbfgs() };

/** @throws {OptionError} for a name that is not among them. */
export function findTrainable(name: string): Known {
  return find(trainable, name);
}

/** @throws {OptionError} for a name that is not in the catalog. */
export function findRule(name: string): Rule {
  return find(catalog, name);
}

function find<T>(known: Readonly<Record<string, T>>, name: string): T {
  const typed = name.toLowerCase();
  if (Object.hasOwn(known, typed)) return known[typed]!;
  const expected = `one of ${Object.keys(known).join(", ")}`;
  throw new OptionError("UNKNOWN_OPTIMIZER", { subject: "optimizer", got: name, expected });
}
