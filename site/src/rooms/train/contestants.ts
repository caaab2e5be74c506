/** Who may be trained: the optimizers of the command line's comparison with their looks, and a rule of one's own. */
import type { HyperDefaults, Rule } from "downhill";
import { MathError, parseRule } from "downhill/math";
import { trainable } from "../../../../src/training/catalog.ts";
import { comparedOptimizers, type OptimizerChoice } from "../../../../src/training/optimizers.ts";
import type { Changes, Field } from "../../ui/hyper.ts";
import type { Marker } from "../../ui/marker.ts";
import { settable, yourLabel, yourLooks, yours } from "../../ui/own-rule.ts";
import { racerOf } from "../../race/racers.ts";

export interface Contestant {
  readonly key: string;
  readonly label: string;
  /** A colour of theme.css. */
  readonly color: string;
  /** Strokes and gaps of its curve, in pixels. */
  readonly dash: readonly number[];
  readonly marker: Marker;
  /** In a sentence or two. */
  readonly note: string;
  /** The class and the options that it has unless others are set. */
  readonly choice: OptimizerChoice;
  /** The usual learning rate; a rule of one's own may have none. */
  readonly lr: number | undefined;
  /** All else that can be set. */
  readonly fields: readonly Field[];
}

type Looks = Pick<Contestant, "label" | "color" | "dash" | "marker" | "note">;

const muon: Looks = {
  label: "Muon",
  color: "green",
  dash: [9, 3, 2, 3],
  marker: "star",
  note: "Turns each matrix’s momentum into an orthogonal one, so that all directions move alike.",
};

export const contestants: readonly Contestant[] = comparedOptimizers.map((compared) => {
  const { key, torchClass, options, others, note } = compared;
  const { label, color, dash, marker, note: character }: Looks = racerOf(key) ?? muon;
  const known = trainable[torchClass.toLowerCase()]!;
  return {
    key,
    label,
    color,
    dash,
    marker,
    note: note === undefined ? character : `${character} ${note}`,
    choice: { torchClass, options, ...(others && { others }) },
    ...settable(flagged({ ...known.hyper, ...options } as HyperDefaults)),
  };
});

/** One's own rule as a contestant; also a text that is no rule, with what is wrong with it. */
export interface OwnContestant extends Contestant {
  readonly fault: MathError | null;
}

export function ownContestant(text: string): OwnContestant {
  const { rule, fault } = read(text);
  const name = rule?.name ?? "Rule";
  return {
    key: yours,
    label: yourLabel(name),
    ...yourLooks,
    note: "The rule that this page’s address brings.",
    choice: { torchClass: name, options: {}, ...(rule && { rule }) },
    fault,
    ...settable(rule?.hyper ?? {}),
  };
}

function read(text: string): { readonly rule: Rule | null; readonly fault: MathError | null } {
  try {
    return { rule: parseRule(text), fault: null };
  } catch (error) {
    if (error instanceof MathError) return { rule: null, fault: error };
    throw error;
  }
}

/** The values that flags of the command line can change: switches that are off, but none that is on. */
function flagged(hyper: HyperDefaults): HyperDefaults {
  const entries = Object.entries(hyper).filter(([name, value]) => {
    const isOpen = Array.isArray(value) && value.includes(null);
    return name !== "maximize" && value !== true && !isOpen;
  });
  return Object.fromEntries(entries);
}

/** The choice with what a reader has set; a switch that is off anyway is not mentioned. */
export function chosen({ choice, fields }: Contestant, changes: Changes = {}): OptimizerChoice {
  const isOff = (name: string) => fields.find((field) => field.name === name)?.value === false;
  const entries = Object.entries({ ...choice.options, ...changes });
  const options = Object.fromEntries(
    entries.filter(([name, value]) => value !== false || !isOff(name)),
  );
  return { ...choice, options };
}
