// The rules that come with Downhill, by the names the command line knows them by.

import * as downhill from "../index.ts";
import type { HyperDefaults, Rule } from "../index.ts";
import { UsageError } from "./errors.ts";

/** Rules by their command-line name. */
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

/** What the command line knows of an optimizer. */
export type Known = Pick<Rule, "name" | "hyper">;

/** L-BFGS, which is no rule: its group has the defaults. */
function lbfgs(): Known {
  const { params: _, ...hyper } = new downhill.LBFGS([downhill.parameter([0])], {
    backend: "interp",
  }).paramGroups[0];
  return { name: "LBFGS", hyper };
}

/** All that can train a network, by command-line name. */
export const trainable: Readonly<Record<string, Known>> = { ...catalog, lbfgs: lbfgs() };

/** @throws {UsageError} for a name that is not among them. */
export function findTrainable(name: string): Known {
  const known = trainable[name.toLowerCase()];
  if (known) return known;
  throw new UsageError(
    `optimizer: got ${JSON.stringify(name)}, expected one of ${Object.keys(trainable).join(", ")}.`,
  );
}

/** @throws {UsageError} for a name that is not in the catalog. */
export function findRule(name: string): Rule {
  const rule = catalog[name.toLowerCase()];
  if (rule) return rule;
  throw new UsageError(
    `optimizer: got ${JSON.stringify(name)}, expected one of ${Object.keys(catalog).join(", ")}.`,
  );
}
