/** Who may race: each optimizer with its looks and what can be set, as the page needs to know it. */
import type { Changes, Field, Value } from "../ui/hyper.ts";
import type { Marker } from "../ui/marker.ts";
import { yours } from "../ui/own-rule.ts";
import type { Entry } from "./engine.ts";
import type { Rates } from "./surfaces.ts";

export interface Racer {
  readonly key: string;
  readonly label: string;
  /** The class that is made of it. */
  readonly optimizer: string;
  /** A colour of theme.css. */
  readonly color: string;
  /** Strokes and gaps of its trail, in pixels. */
  readonly dash: readonly number[];
  readonly marker: Marker;
  /** In one sentence. */
  readonly note: string;
  /** The learning rate on a surface, if it has one. */
  rate(rates: Rates): number | undefined;
  /** All but the learning rate. */
  readonly fields: readonly Field[];
}

const solid: readonly number[] = [];
const dashed: readonly number[] = [7, 4];
const dotted: readonly number[] = [2, 3];

const field = (name: string, value: Field["value"], choices?: readonly string[]): Field => ({
  name,
  value,
  ...(choices && { choices }),
});
const decay = (value = 0): Field => field("weightDecay", value);
const betas = field("betas", [0.9, 0.999]);
const eps = (value = 1e-8): Field => field("eps", value);

const plain = ({ plain: rate }: Rates): number => rate;
const adaptive = ({ adaptive: rate }: Rates): number => rate;

const momentumFields = (momentum: number, nesterov: boolean): Field[] => [
  field("momentum", momentum),
  field("dampening", 0),
  field("nesterov", nesterov),
  decay(),
];

export const racers: readonly Racer[] = [
  {
    key: "sgd",
    label: "SGD",
    optimizer: "SGD",
    color: "blue",
    dash: solid,
    marker: "circle",
    note: "Straight down, as far as the slope is steep.",
    rate: plain,
    fields: momentumFields(0, false),
  },
  {
    key: "momentum",
    label: "Momentum",
    optimizer: "SGD",
    color: "vermilion",
    dash: solid,
    marker: "square",
    note: "SGD with a memory of where it was going.",
    rate: plain,
    fields: momentumFields(0.9, false),
  },
  {
    key: "nesterov",
    label: "Nesterov",
    optimizer: "SGD",
    color: "vermilion",
    dash: dashed,
    marker: "diamond",
    note: "Momentum that looks ahead.",
    rate: ({ plain: rate }) => rate / 2,
    fields: momentumFields(0.9, true),
  },
  {
    key: "rmsprop",
    label: "RMSprop",
    optimizer: "RMSprop",
    color: "green",
    dash: solid,
    marker: "up",
    note: "Steps of about one length in every direction, by the root of a running mean of squares.",
    rate: ({ adaptive: rate }) => rate / 5,
    fields: [field("alpha", 0.99), eps(), field("momentum", 0), field("centered", false), decay()],
  },
  {
    key: "adam",
    label: "Adam",
    optimizer: "Adam",
    color: "orange",
    dash: solid,
    marker: "star",
    note: "Momentum and RMSprop in one, freed of the bias of their beginnings.",
    rate: adaptive,
    fields: [betas, eps(), field("amsgrad", false), decay()],
  },
  {
    key: "adamw",
    label: "AdamW",
    optimizer: "AdamW",
    color: "orange",
    dash: dashed,
    marker: "diamond",
    note: "Adam whose weight decay pulls straight towards the origin.",
    rate: adaptive,
    fields: [betas, eps(), field("amsgrad", false), decay(1e-2)],
  },
  {
    key: "nadam",
    label: "NAdam",
    optimizer: "NAdam",
    color: "sky",
    dash: solid,
    marker: "down",
    note: "Adam with Nesterov’s look ahead.",
    rate: adaptive,
    fields: [
      betas,
      eps(),
      field("momentumDecay", 4e-3),
      field("decoupledWeightDecay", false),
      decay(),
    ],
  },
  {
    key: "radam",
    label: "RAdam",
    optimizer: "RAdam",
    color: "sky",
    dash: dashed,
    marker: "plus",
    note: "Adam that begins as momentum, until its mean of squares can be relied on.",
    rate: (rates) => Math.min(rates.plain, rates.adaptive),
    fields: [betas, eps(), field("decoupledWeightDecay", false), decay()],
  },
  {
    key: "adamax",
    label: "Adamax",
    optimizer: "Adamax",
    color: "orange",
    dash: dotted,
    marker: "up",
    note: "Adam with the largest gradient of late in the place of a mean.",
    rate: adaptive,
    fields: [betas, eps(), decay()],
  },
  {
    key: "adagrad",
    label: "Adagrad",
    optimizer: "Adagrad",
    color: "purple",
    dash: solid,
    marker: "diamond",
    note: "Divides by the root of all squares so far, so its steps only get shorter.",
    rate: ({ adaptive: rate }) => 10 * rate,
    fields: [field("lrDecay", 0), field("initialAccumulatorValue", 0), eps(1e-10), decay()],
  },
  {
    key: "adadelta",
    label: "Adadelta",
    optimizer: "Adadelta",
    color: "purple",
    dash: dashed,
    marker: "square",
    note: "Measures its own steps and needs hardly a learning rate, but time to get going.",
    rate: () => 10,
    fields: [field("rho", 0.9), eps(1e-6), decay()],
  },
  {
    key: "rprop",
    label: "Rprop",
    optimizer: "Rprop",
    color: "green",
    dash: dashed,
    marker: "cross",
    note: "Heeds the signs of gradients alone: longer steps while they stay, shorter when they turn.",
    rate: adaptive,
    fields: [field("etas", [0.5, 1.2]), field("stepSizes", [1e-6, 50])],
  },
  {
    key: "asgd",
    label: "ASGD",
    optimizer: "ASGD",
    color: "blue",
    dash: dashed,
    marker: "plus",
    note: "SGD that keeps an average beside; shown is the path it steps along.",
    rate: plain,
    fields: [field("lambd", 1e-4), field("alpha", 0.75), field("t0", 1e6), decay()],
  },
  {
    key: "adafactor",
    label: "Adafactor",
    optimizer: "Adafactor",
    color: "green",
    dash: dotted,
    marker: "down",
    note: "Made for large matrices; its steps go by the size of what they change.",
    rate: adaptive,
    fields: [field("beta2Decay", -0.8), field("d", 1), decay()],
  },
  {
    key: "lbfgs",
    label: "L-BFGS",
    optimizer: "LBFGS",
    color: "grey",
    dash: solid,
    marker: "cross",
    note: "Newton’s method from memory: few steps, each with a search and several gradients.",
    rate: () => 1,
    fields: [
      field("lineSearchFn", "strong_wolfe", ["strong_wolfe", "none"]),
      field("historySize", 100),
      field("maxIter", 1),
      field("maxEval", 25),
    ],
  },
];

const byKey = new Map(racers.map((racer) => [racer.key, racer]));

/** @param own a rule of the reader's own, where there is one. */
export function racerOf(key: string, own: Racer | null = null): Racer | undefined {
  return own?.key === key ? own : byKey.get(key);
}

/** All that may race; a rule of the reader's own comes last, so that it lies on top. */
export const racersWith = (own: Racer | null): readonly Racer[] =>
  own === null ? racers : [...racers, own];

/** Who races where nothing else is asked for. */
export const usual: readonly string[] = ["sgd", "momentum", "rmsprop", "adam", "lbfgs"];

/** All that a racer starts with. */
export function hyperOf(racer: Racer, rates: Rates, changes: Changes = {}): Record<string, Value> {
  const fields = racer.fields.map(({ name, value }) => [name, value] as const);
  const lr = racer.rate(rates);
  return { ...(lr !== undefined && { lr }), ...Object.fromEntries(fields), ...changes };
}

/** A racer as the engine runs it. @param rule the text of the reader's own rule, for who runs that. */
export function entryOf(racer: Racer, rates: Rates, changes?: Changes, rule = ""): Entry {
  const { key, optimizer } = racer;
  const hyper = hyperOf(racer, rates, changes);
  return { key, optimizer, hyper, ...(key === yours && { rule }) };
}
