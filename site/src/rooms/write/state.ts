/** What is set in the room, and how it stands in the address: only what differs from the usual. */
import { numberIn, valueIn } from "../../ui/address-values.ts";
import type { Changes, Field } from "../../ui/hyper.ts";
import { yours } from "../../ui/own-rule.ts";
import { surfaces } from "../../race/surfaces.ts";
import { first } from "./presets.ts";

/** What a rule becomes, one after another. */
export const tabs = ["ir", "wasm", "wgsl"] as const;
export type Tab = (typeof tabs)[number];

export interface WriteState {
  /** The text, right or wrong. */
  readonly rule: string;
  /** Hyperparameters that differ from those of the text. */
  readonly changes: Changes;
  readonly tab: Tab;
  /** The step of a parameter that is shown, from 1. */
  readonly step: number;
  /** The surface on which it is tried. */
  readonly surface: string;
}

/** A rule that remembers numbers is traced through all steps up to the shown one, so there are not many. */
export const MOST_STEP = 100;

export const usual: WriteState = {
  rule: first,
  changes: {},
  tab: "ir",
  step: 2,
  surface: "ravine",
};

/** State as parameters of an address. */
export function writeState(state: WriteState): URLSearchParams {
  const params = new URLSearchParams();
  for (const name of ["rule", "tab", "step", "surface"] as const) {
    if (state[name] !== usual[name]) params.set(name, String(state[name]));
  }
  putChanges(params, state.changes);
  return params;
}

/** Adds hyperparameters, as all rooms read them. */
export function putChanges(params: URLSearchParams, changes: Changes): void {
  for (const [name, value] of Object.entries(changes)) {
    params.set(`${yours}.${name}`, String(value));
  }
}

/**
 * The state that parameters of an address ask for.
 *
 * @param fieldsOf what can be set of the rule of a text; nothing of one that is none.
 */
export function readState(
  params: URLSearchParams,
  fieldsOf: (text: string) => readonly Field[],
): WriteState {
  const rule = params.get("rule") ?? usual.rule;
  const fields = fieldsOf(rule);
  const changes = [...params].flatMap(([param, text]) => {
    const [key, name = ""] = param.split(".");
    const value = key === yours ? valueIn(fields, name, text) : null;
    return value === null ? [] : [[name, value] as const];
  });
  const step = Math.round(numberIn(params.get("step")) ?? usual.step);
  return {
    rule,
    changes: Object.fromEntries(changes),
    tab: tabs.find((tab) => tab === params.get("tab")) ?? usual.tab,
    step: Math.min(Math.max(step, 1), MOST_STEP),
    surface: surfaces.find(({ key }) => key === params.get("surface"))?.key ?? usual.surface,
  };
}
