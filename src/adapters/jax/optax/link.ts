/**
 * Gradient transformations as equations: each link of a chain turns the gradient into another one, and a chain
 * of links is one rule, so that it runs in one pass over memory whatever it is put together from.
 */
import type { Tensor } from "../../../ir/expr.ts";
import { rule, type HyperDefaults, type Interval, type Rule } from "../../../ir/rule.ts";

/** A number as a function of how many updates there were before: 0 for the first. */
export type Schedule = (count: number) => number;
/** A number, or a schedule of it. */
export type ScalarOrSchedule = number | Schedule;

/** The state tensor in which a step leaves its update. */
export const UPDATE = "update";

/** One part of a chain. */
export interface Link<K extends string = string, S extends string = string> {
  /** The function that made it, as messages call it. */
  readonly owner: string;
  /** Numbers that may change from step to step. */
  readonly numbers: Readonly<Record<K, ScalarOrSchedule>>;
  readonly domain?: { readonly [name in K]?: Interval };
  /** Names of state tensors; zero at first, see `isFresh`. */
  readonly state: readonly S[];
  /** Whether `step` looks at p. */
  readonly usesParams?: boolean;
  /** The gradient, the parameter and the state; then the numbers, and t, which is 1 for the first step. */
  readonly step: (
    g: Tensor,
    tensors: Readonly<Record<S | "p", Tensor>>,
    numbers: Readonly<Record<K | "t", number>>,
  ) => Readonly<Record<S | "g", Tensor>>;
}

/** A part whose types are of no interest any more. */
export type AnyLink = Omit<Link, "step"> & {
  step(
    g: Tensor,
    tensors: Readonly<Record<string, Tensor>>,
    numbers: Readonly<Record<string, number>>,
  ): Readonly<Record<string, Tensor>>;
};

/** Names of a link, and what the rule of the chain calls them: they differ where two links have the same. */
type Names = readonly (readonly [own: string, shared: string])[];

/** A chain as a rule, and which of its numbers go by a schedule. */
export interface Fused {
  readonly rule: Rule;
  readonly schedules: ReadonlyMap<string, Schedule>;
}

/**
 * One rule of all links. It leaves the update in the state tensor {@link UPDATE}.
 *
 * @param applies whether p becomes p + update; else it stays.
 * @throws {OptionError} for a number out of its domain.
 */
export function fuse(name: string, links: readonly AnyLink[], applies: boolean): Fused {
  const naming = { hyper: new Set(["t", "params"]), state: new Set(["p", "g", UPDATE]) };
  const named = links.map(({ numbers, state }) => ({
    numbers: Object.keys(numbers).map((own) => [own, unused(own, naming.hyper)] as const),
    state: state.map((own) => [own, unused(own, naming.state)] as const),
  }));
  const schedules = new Map<string, Schedule>();
  const hyper: Record<string, number> = {};
  const domain: Record<string, Interval> = {};
  links.forEach((link, i) => {
    for (const [own, shared] of named[i]!.numbers) {
      const value = link.numbers[own]!;
      if (typeof value === "function") schedules.set(shared, value);
      hyper[shared] = typeof value === "function" ? 0 : value;
      if (link.domain?.[own]) domain[shared] = link.domain[own];
    }
  });
  const made = rule<HyperDefaults, string>({
    name,
    hyper,
    domain,
    state: [...named.flatMap(({ state }) => state.map(([, shared]) => shared)), UPDATE],
    step(tensors, numbers) {
      const given = numbers as unknown as Readonly<Record<string, number>>;
      const outputs: Record<string, Tensor> = {};
      let g = tensors["g"]!;
      links.forEach((link, i) => {
        const own = pick([["p", "p"], ...named[i]!.state], tensors);
        const result = link.step(g, own, pick([["t", "t"], ...named[i]!.numbers], given));
        g = result["g"]!;
        for (const [name_, shared] of named[i]!.state) outputs[shared] = result[name_]!;
      });
      const p = tensors["p"]!;
      return { ...outputs, p: applies ? p.add(g) : p, [UPDATE]: g };
    },
  });
  return { rule: made, schedules };
}

function unused(name: string, taken: Set<string>): string {
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}${i}`;
  taken.add(free);
  return free;
}

function pick<T>(names: Names, from: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(names.map(([own, shared]) => [own, from[shared]!]));
}

/** The rule of a class, leaving what it adds to the parameter in {@link UPDATE}. */
export function withUpdate(inner: Rule, applies: boolean): Rule {
  return {
    ...inner,
    slots: [...inner.slots, UPDATE],
    slotRanks: [...inner.slotRanks, "tensor"],
    stateNames: [...inner.stateNames, UPDATE],
    step(tensors, numbers) {
      const outputs = inner.step(tensors, numbers);
      const p = tensors["p"]!;
      const next = outputs["p"]!;
      return { ...outputs, p: applies ? next : p, [UPDATE]: next.sub(p) };
    },
  };
}
