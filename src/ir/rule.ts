/**
 * What a rule is: a name, hyperparameters with their defaults, state, and one pure function.
 *
 * The types live here too, so that a mistyped hyperparameter, a forgotten state tensor or a `*`
 * between tensors is an error in the editor already.
 */
import type { StateStorage } from "./bfloat16.ts";
import { validatorOf } from "./hyper.ts";
import { FLUSH_PERIOD } from "./op.ts";
import { checkNames, checkSpec } from "./rule-check.ts";
import type { PerColumn, PerRow, Tensor } from "./expr.ts";
import type { SlotRank } from "./rank.ts";

/**
 * Defaults of hyperparameters: numbers, switches, pairs such as Adam's betas, triples, and names of
 * which one is chosen, or none (`null`). A number of a pair that is `null` by default may be `null`: the
 * rule then finds one itself.
 */
export type HyperDefaults = Readonly<Record<string, HyperValue>>;

/** Two numbers, which may be unknown. */
export type HyperPair = readonly [number | null, number | null];
export type HyperTriple = readonly [number, number, number];
export type HyperValue = number | boolean | string | null | HyperPair | HyperTriple;

type WidenedPart<T> = null extends T ? number | null : number;

type Widened<T> = T extends boolean
  ? boolean
  : T extends number
    ? number
    : T extends readonly [infer A, infer B]
      ? readonly [WidenedPart<A>, WidenedPart<B>]
      : T extends HyperTriple
        ? HyperTriple
        : T;

/** The types behind a rule's defaults. */
export type Hyper<H extends HyperDefaults> = { -readonly [K in keyof H]: Widened<H[K]> };

/** Where a number may lie: `"[0, inf)"` is 0 ≤ x < ∞. Numbers must be finite in any case. */
export type Interval = `${"[" | "("}${number | "-inf"}, ${number | "inf"}${"]" | ")"}`;

/** The names to choose from, `null` among them if none may be chosen. */
export type Choices = readonly (string | null)[];

/** What a rule's `step` gets: the parameter, its gradient and its state. */
export type RuleTensors<
  S extends string,
  R extends string = never,
  C extends string = never,
> = Record<"p" | "g" | S, Tensor> & Record<R, PerRow> & Record<C, PerColumn>;
/** What it gives back: the new parameter and the new state, every slot and every number of it. */
export type RuleOutputs<
  S extends string,
  N extends string = never,
  R extends string = never,
  C extends string = never,
> = Record<"p" | S, Tensor> & Record<N, number> & Record<R, PerRow> & Record<C, PerColumn>;

/** Names of state, or a map from the rule's letters to names in state dicts. */
type Names<S extends string> = readonly S[] | Readonly<Record<S, string>>;

/**
 * What a rule is made of, for {@link rule} and {@link defineOptimizer}: names, hyperparameters with
 * their defaults, state, and a step.
 */
export interface RuleSpec<
  H extends HyperDefaults,
  S extends string,
  N extends string = never,
  R extends string = never,
  C extends string = never,
> {
  /** Name of the optimizer, e.g. `"Adam"`. */
  readonly name: string;
  /**
   * The equations as text, one a line, for people: `p = p - lr * g`. In the language of `downhill/math` it
   * can be typeset, after a proof that it is the rule.
   */
  readonly formula?: string;
  /** Hyperparameters and their defaults. */
  readonly hyper: H;
  /**
   * Where each number may lie; without an entry any finite number will do. Which names there are to
   * choose from: write the default as `null as "a" | "b" | null` to have them in the type as well.
   */
  readonly domain?: {
    readonly [K in keyof H]?: H[K] extends string | null ? Choices : Interval;
  };
  /** Names of the state tensors, or a map from the rule's letters to names in state dicts. */
  readonly state?: Names<S>;
  /**
   * State with one number per row of a matrix, as `state`. Parameters of fewer than two dimensions have
   * none: ask `isMatrix(p)`, and return it as it is.
   */
  readonly rows?: Names<R>;
  /** State with one number per column of a matrix, as `rows`. */
  readonly columns?: Names<C>;
  /**
   * Names of the numbers that a rule remembers for each parameter, such as a running product, or a map
   * from the rule's letters to names in state dicts. `step` gets them with the hyperparameters, 0 where
   * t = 1, and returns them anew.
   */
  readonly numbers?: Names<N>;
  /** Whether state dicts hold a count of steps (default true). */
  readonly counted?: boolean;
  /** Set where gradients may consist of some rows alone (by default they may not). */
  readonly sparse?: true | SparseSupport<H, S>;
  /**
   * Whether every parameter is a matrix (default false). `step` is then called for each shape by itself,
   * so that it may use `rowsOf`, `columnsOf` and what works on whole matrices.
   */
  readonly matrices?: boolean;
  /** Whether steps take parameters without a gradient as well (default false); for rules without g. */
  readonly takesAll?: boolean;
  /** What is wrong with a combination of hyperparameters, if anything is. */
  readonly check?: (hyper: Hyper<H>) => Complaint | undefined;
  /**
   * The formula. `t` counts the steps of the parameter at hand, from 1. Must be pure: it is not called
   * again while nothing that it looks at has changed.
   */
  readonly step: (
    tensors: RuleTensors<S, R, C>,
    hyper: Hyper<H> & { readonly t: number } & Readonly<Record<N, number>>,
  ) => NoInfer<RuleOutputs<S, N, R, C>>;
}

/**
 * How a rule takes gradients that consist of some rows alone, see `Parameter.sparseGrad`. The elements of
 * those rows take a step and no others do, so the rule must work element by element. `isFresh` is false
 * in such a step: state that has never been written holds zeros, or what `start` says.
 */
export interface SparseSupport<H extends HyperDefaults, S extends string> {
  /** Whether the rule takes no other gradients. */
  readonly only?: boolean;
  /** What is wrong with hyperparameters that are fine for dense gradients. */
  readonly check?: (hyper: Hyper<H>) => Complaint | undefined;
  /** What state holds before its first step. */
  readonly start?: (hyper: Hyper<H>) => { readonly [K in S]?: number };
}

/** A combination of hyperparameters that makes no sense. */
export interface Complaint {
  readonly option: string;
  readonly expected: string;
}

/** What is known of a rule whatever its hyperparameters are. */
export interface RuleInfo {
  readonly name: string;
  /** The equations as text, one a line; empty if the rule does not say. */
  readonly formula: string;
  readonly hyperNames: readonly string[];
  /** `p`, `g`, then the state, by the rule's own letters. */
  readonly slots: readonly string[];
  /** How many numbers each of them has. */
  readonly slotRanks: readonly SlotRank[];
  /** Names of the state tensors in state dicts, in the order of the slots. */
  readonly stateNames: readonly string[];
  /** The numbers that it remembers, by the rule's own letters, and their names in state dicts. */
  readonly numberLetters: readonly string[];
  readonly numberNames: readonly string[];
  /** Whether state dicts hold a count of steps. */
  readonly counted: boolean;
  /** How it takes gradients of some rows; absent if it does not. */
  readonly sparse?: SparseSupport<HyperDefaults, string>;
  /** Whether steps take parameters without a gradient as well. */
  readonly takesAll?: boolean;
  /** What the state tensors lie in, if not in the parameter's type. */
  readonly stateStorage?: StateStorage;
  /** Numbers that a state dict may lack, the count of steps among them; they are 0 then. */
  readonly optionalNumbers?: readonly string[];
  /**
   * Throws an {@link OptionError} unless the values of `hyper` may be used.
   *
   * @param group the number of their group, for the message.
   */
  validate(values: Readonly<Record<string, unknown>>, group?: number): void;
}

/** A rule that has been checked and is ready to be traced. */
export interface Rule<H extends HyperDefaults = HyperDefaults> extends RuleInfo {
  /** The defaults. */
  readonly hyper: H;
  readonly hyperNames: readonly (keyof H & string)[];
  /** Whether every parameter has to be a matrix. */
  readonly matrices: boolean;
  step(tensors: RuleTensors<string>, hyper: Hyper<H> & { readonly t: number }): RuleOutputs<string>;
}

/**
 * Makes a rule from its equations.
 *
 * @example
 * const signSgd = rule({
 *   name: "SignSGD",
 *   hyper: { lr: 1e-3 },
 *   step: ({ p, g }, { lr }) => ({ p: p.sub(sign(g).mul(lr)) }),
 * });
 *
 * @throws {RuleError} if names clash or something is missing, {OptionError} if a default lies outside
 *   its domain.
 */
export function rule<
  const H extends HyperDefaults,
  S extends string = never,
  N extends string = never,
  R extends string = never,
  C extends string = never,
>(spec: RuleSpec<H, S, N, R, C>): Rule<Hyper<H>> {
  checkSpec(spec);
  const hyper = frozenCopy(spec.hyper);
  const tensors = lettersOf(spec.state);
  const rows = lettersOf(spec.rows);
  const columns = lettersOf(spec.columns);
  const state: Letters = {
    letters: [...tensors.letters, ...rows.letters, ...columns.letters],
    names: [...tensors.names, ...rows.names, ...columns.names],
  };
  const numbers = lettersOf(spec.numbers);
  const hyperNames = Object.keys(spec.hyper);
  checkNames(spec.name, hyperNames, state, numbers);
  const made: Rule<Hyper<H>> = {
    name: spec.name,
    formula: dedent(spec.formula ?? ""),
    hyper: hyper as unknown as Hyper<H>,
    hyperNames,
    slots: ["p", "g", ...state.letters],
    slotRanks: [
      ...["p", "g", ...tensors.letters].map(() => "tensor" as const),
      ...rows.letters.map(() => "row" as const),
      ...columns.letters.map(() => "column" as const),
    ],
    stateNames: state.names,
    numberLetters: numbers.letters,
    numberNames: numbers.names,
    counted: spec.counted ?? true,
    ...(spec.sparse && { sparse: sparseOf(spec.sparse) }),
    matrices: spec.matrices ?? false,
    ...(spec.takesAll && { takesAll: true }),
    validate: validatorOf({ ...spec, hyper }, hyperNames),
    step: spec.step as Rule<Hyper<H>>["step"],
  };
  made.validate(hyper);
  return made;
}

function sparseOf<H extends HyperDefaults, S extends string>(given: true | SparseSupport<H, S>) {
  return (given === true ? {} : given) as unknown as SparseSupport<HyperDefaults, string>;
}

/** Nobody changes a rule's defaults from outside. */
function frozenCopy<H extends HyperDefaults>(hyper: H): H {
  const copies = Object.entries(hyper).map(([name, value]) => [
    name,
    Array.isArray(value) ? Object.freeze([...value]) : value,
  ]);
  return Object.freeze(Object.fromEntries(copies)) as H;
}

/** Without blank lines, and without the indentation that all lines share. */
function dedent(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const shared = Math.min(...lines.map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(shared).trimEnd()).join("\n");
}

/** What a rule calls its state, and what state dicts call it. */
export interface Letters {
  readonly letters: string[];
  readonly names: string[];
}

function lettersOf(given: readonly string[] | Readonly<Record<string, string>> = []): Letters {
  if (Array.isArray(given)) return { letters: given as string[], names: given as string[] };
  return { letters: Object.keys(given), names: Object.values(given) as string[] };
}

/** Whether the step that is a parameter's `t`-th flushes its state, see {@link FLUSH_PERIOD}. */
export function flushesAt({ counted }: Pick<Rule, "counted">, t: number): boolean {
  return !counted || t % FLUSH_PERIOD === 0;
}
