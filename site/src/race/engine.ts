/**
 * Lets one optimizer run down a surface: Downhill's own, in float64, on a parameter of two numbers.
 *
 * Nothing here knows of pages or workers. A race is a function of what it is given, noise included.
 */
import {
  adadelta,
  adafactor,
  adagrad,
  adam,
  adamax,
  adamw,
  asgd,
  DownhillError,
  GradientError,
  LBFGS,
  nadam,
  Optimizer,
  parameter,
  radam,
  rmsprop,
  rprop,
  sgd,
  type HyperDefaults,
  type LBFGSOptions,
  type OptimizerOptions,
  type Parameter,
  type Rule,
  type StateDict,
} from "downhill";
import { noiseAt } from "./noise.ts";
import type { Value } from "../ui/hyper.ts";
import type { Landscape, Point } from "./surfaces.ts";

const rules = Object.fromEntries(
  [sgd, rmsprop, adam, adamw, nadam, radam, adamax, adagrad, adadelta, rprop, asgd, adafactor].map(
    (rule) => [rule.name, rule as unknown as Rule<HyperDefaults>],
  ),
);

/** Whose turn it is, and with what. */
export interface Entry {
  readonly key: string;
  /** The name of the optimizer's class. */
  readonly optimizer: string;
  readonly hyper: Readonly<Record<string, Value>>;
  /** The text of a rule of the reader's own, which is run in the place of a known one. */
  readonly rule?: string;
}

/** Makes rules of texts; what it throws of the library's errors is a refusal. */
export type ReadRule = (text: string) => Rule;

/** What all of a race have in common. */
export interface Course {
  readonly landscape: Landscape;
  readonly start: Point;
  readonly steps: number;
  /** Standard deviation of what is added to each component of a gradient. */
  readonly noise: number;
  readonly seed: number;
}

/** Where a racer was, from the start on, and how it got there. */
export interface Track {
  readonly key: string;
  readonly xs: Float64Array;
  readonly ys: Float64Array;
  /** Of the surface itself, without noise. */
  readonly losses: Float64Array;
  /** How often it asked for a gradient. */
  readonly gradients: number;
  /** The library's words about hyperparameters that it does not take; nothing has run then. */
  readonly refusal: string | null;
  /** Whether the next step would have been, or was, to a place that is not finite. */
  readonly diverged: boolean;
  /** `wasm` or `interp`. */
  readonly backend: string;
}

/** What the engine needs of an optimizer. */
interface Runner {
  readonly backend: string;
  step(closure: () => number): number;
  stateDict(): StateDict;
  loadStateDict(dict: StateDict): unknown;
}

interface Stable {
  readonly parameter: Parameter<"float64">;
  /** The last one that ran, in case it runs again. */
  runner?: Runner;
  /** What it was made of. */
  made?: string;
  /** Its state before its first step. */
  fresh?: StateDict;
}

/** A parameter for each racer: what is made anew for every race would pile up while someone drags. */
const stables = new Map<string, Stable>();

function runnerFor(entry: Entry, readRule?: ReadRule): { runner: Runner; p: Stable["parameter"] } {
  const { key, optimizer, hyper, rule } = entry;
  let stable = stables.get(key);
  if (!stable) {
    stable = { parameter: parameter(new Float64Array(2)) };
    stables.set(key, stable);
  }
  const made = JSON.stringify([rule, hyper]);
  if (stable.runner && stable.made === made) {
    stable.runner.loadStateDict(stable.fresh!);
  } else {
    if (rule === undefined) stable.runner = create(optimizer, hyper, stable.parameter);
    else stable.runner = createOf(readRule!(rule), hyper, stable.parameter);
    stable.made = made;
    stable.fresh = stable.runner.stateDict();
  }
  return { runner: stable.runner, p: stable.parameter };
}

function create(optimizer: string, hyper: Entry["hyper"], p: Stable["parameter"]): Runner {
  if (optimizer === "LBFGS") {
    const lineSearchFn = hyper["lineSearchFn"] === "none" ? null : hyper["lineSearchFn"];
    return new LBFGS([p], { ...hyper, lineSearchFn } as LBFGSOptions);
  }
  return createOf(rules[optimizer]!, hyper, p);
}

function createOf(rule: Rule, hyper: Entry["hyper"], p: Stable["parameter"]): Runner {
  return new Optimizer(rule, [p], hyper as OptimizerOptions<HyperDefaults>);
}

/**
 * Runs one racer to the end of the course, or to where numbers end.
 *
 * @param readRule for an entry that brings a rule.
 */
export function run(entry: Entry, course: Course, readRule?: ReadRule): Track {
  const { start, steps, landscape } = course;
  const xs = new Float64Array(steps + 1);
  const ys = new Float64Array(steps + 1);
  const losses = new Float64Array(steps + 1);
  let refusal: string | null = null;
  let backend = "";
  let gradients = 0;
  let taken = 0;
  let diverged = false;
  const note = (x: number, y: number): boolean => {
    xs[taken] = x;
    ys[taken] = y;
    losses[taken] = landscape.value(x, y);
    return Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(losses[taken]);
  };
  note(...start);
  try {
    const { runner, p } = runnerFor(entry, readRule);
    ({ backend } = runner);
    const { data } = p;
    data.set(start);
    const closure = (): number => {
      gradients++;
      return evaluate(p, course, taken);
    };
    while (taken < steps && !diverged) {
      runner.step(closure);
      taken++;
      diverged = !note(data[0]!, data[1]!);
    }
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    if (error instanceof GradientError) diverged = true;
    else refusal = error.message;
  }
  const end = taken + 1;
  return {
    key: entry.key,
    xs: xs.slice(0, end),
    ys: ys.slice(0, end),
    losses: losses.slice(0, end),
    gradients,
    refusal,
    diverged,
    backend,
  };
}

/** Sets the gradient and returns the loss that belongs to it: noise tilts both the same way. */
function evaluate(p: Parameter<"float64">, course: Course, step: number): number {
  const { landscape, noise, seed } = course;
  const [x, y] = p.data as unknown as Point;
  const [gx, gy] = landscape.gradient(x, y);
  const [nx, ny] = noise === 0 ? none : noiseAt(seed, step);
  p.grad = [gx + noise * nx, gy + noise * ny];
  return landscape.value(x, y) + noise * (nx * x + ny * y);
}

const none: Point = [0, 0];
