/** Who may be trained: the optimizers of the command line's comparison with their looks, and a rule of one's own. */
import { parseRule } from "downhill/math";
import { trainable, type Known } from "../../../../src/training/catalog.ts";
import { comparedOptimizers, type OptimizerChoice } from "../../../../src/training/optimizers.ts";
import type { Changes, Field, Value } from "../../ui/hyper.ts";
import type { Marker } from "../../ui/marker.ts";
import { racerOf } from "../race/racers.ts";

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

/** The key of the rule that the address brings. */
export const yours = "yours";

const yourLooks: Omit<Looks, "label"> = {
  color: "grey",
  dash: [7, 4],
  marker: "plus",
  note: "The rule that this page’s address brings.",
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
    ...settable(known, options),
  };
});

/** One's own rule as a contestant. @throws {MathError} for a text that is no rule. */
export function ownContestant(text: string): Contestant {
  const rule = parseRule(text);
  return {
    key: yours,
    label: rule.name === "Rule" ? "Yours" : `${rule.name}, yours`,
    ...yourLooks,
    choice: { torchClass: rule.name, rule, options: {} },
    ...settable(rule, {}),
  };
}

/** What the command line can set too: numbers, pairs of them, and switches that are off. */
function settable(
  { hyper }: Known,
  options: OptimizerChoice["options"],
): Pick<Contestant, "lr" | "fields"> {
  const values = Object.entries({ ...hyper, ...options }) as [string, Value][];
  const fields = values.filter(
    ([name, value]) => name !== "lr" && name !== "maximize" && isSettable(value),
  );
  const lr = values.find(([name]) => name === "lr")?.[1];
  return {
    lr: typeof lr === "number" ? lr : undefined,
    fields: fields.map(([name, value]) => ({ name, value: value as Field["value"] })),
  };
}

function isSettable(value: Value): boolean {
  if (Array.isArray(value)) {
    return value.length === 2 && value.every((part) => typeof part === "number");
  }
  return typeof value === "number" || value === false;
}

/** The choice with what a reader has set. Switches that are off are left out: that is how they are. */
export function chosen({ choice }: Contestant, changes: Changes = {}): OptimizerChoice {
  const entries = Object.entries({ ...choice.options, ...changes });
  const options = Object.fromEntries(entries.filter(([, value]) => value !== false));
  return { ...choice, options };
}
