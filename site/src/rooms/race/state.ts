/**
 * What is set in the room, and how it stands in the address: only what differs from the usual, so that
 * addresses stay short. Whatever an address says that makes no sense here is left out.
 */
import { numberIn, numbersIn, valueIn } from "../../ui/address-values.ts";
import type { Changes, Value } from "../../ui/hyper.ts";
import { racerOf, racersWith, usual, type Racer } from "../../race/racers.ts";
import {
  surfaces,
  typed,
  type Point,
  type Rates,
  type Surface,
  type View,
} from "../../race/surfaces.ts";

export interface RaceState {
  /** The key of a surface, or {@link typed}. */
  readonly surface: string;
  /** What is typed, also while another surface is shown. */
  readonly formula: string;
  readonly view: View;
  readonly start: Point;
  readonly steps: number;
  readonly noise: number;
  readonly seed: number;
  /** Keys, in the order of {@link racersWith}. */
  readonly racing: readonly string[];
  readonly changes: Readonly<Record<string, Changes>>;
  /** The text of a rule of the reader's own, right or wrong; empty where there is none. */
  readonly rule: string;
  /** Steps that are shown in a second. */
  readonly speed: number;
  /** The step where it stands still; `null` plays from the beginning. */
  readonly at: number | null;
}

export const MOST_STEPS = 10_000;
export const speeds: readonly number[] = [5, 20, 60, 200, 1000];

/** What a typed formula starts with. */
export const typedDefaults: Omit<Surface, "value" | "gradient"> = {
  key: typed,
  label: "Your formula",
  formula: "sin(3*x)*cos(3*y) + (x^2 + y^2)/4",
  note: "Any function of x and y; its gradient is taken for you.",
  view: [-3, 3, -2.4, 2.4],
  start: [-2.2, 1.6],
  steps: 300,
  rates: { plain: 0.02, adaptive: 0.05 },
  minima: [],
};

/** What a surface starts with. */
export function defaultsOf(key: string): Omit<Surface, "value" | "gradient"> {
  if (key === typed) return typedDefaults;
  return surfaces.find((surface) => surface.key === key) ?? surfaces[0];
}

/** The usual race on a surface. */
export function freshState(key: string, formula: string = typedDefaults.formula): RaceState {
  const { view, start, steps, noise = 0 } = defaultsOf(key);
  return {
    surface: defaultsOf(key).key,
    formula,
    view,
    start,
    steps,
    noise,
    seed: 1,
    racing: usual,
    changes: {},
    rule: "",
    speed: 60,
    at: null,
  };
}

export const ratesOf = ({ surface }: RaceState): Rates => defaultsOf(surface).rates;

/** State as parameters of an address. */
export function writeState(state: RaceState): URLSearchParams {
  const usually = freshState(state.surface);
  const params = new URLSearchParams({ surface: state.surface });
  const put = (name: keyof RaceState): void => {
    const text = String(state[name]);
    if (text !== String(usually[name])) params.set(name, text);
  };
  if (state.surface === typed) put("formula");
  for (const name of ["view", "start", "steps", "noise", "seed", "racing"] as const) put(name);
  for (const [key, changes] of Object.entries(state.changes)) {
    for (const [name, value] of Object.entries(changes))
      params.set(`${key}.${name}`, String(value));
  }
  for (const name of ["rule", "speed", "at"] as const) put(name);
  return params;
}

/**
 * The state that parameters of an address ask for.
 *
 * @param own the racer of its rule, if it has one.
 */
export function readState(params: URLSearchParams, own: Racer | null = null): RaceState {
  const usually = freshState(
    params.get("surface") ?? "",
    params.get("formula") ?? typedDefaults.formula,
  );
  const number = (name: string, least: number, most: number, otherwise: number): number => {
    const value = numberIn(params.get(name));
    return value === null ? otherwise : Math.min(Math.max(value, least), most);
  };
  const steps = Math.round(number("steps", 1, MOST_STEPS, usually.steps));
  return {
    ...usually,
    view: viewIn(params.get("view")) ?? usually.view,
    start: (numbersIn(params.get("start"), 2) as Point | null) ?? usually.start,
    steps,
    noise: number("noise", 0, 1e6, usually.noise),
    seed: Math.round(number("seed", 0, 2 ** 31, usually.seed)),
    racing: racingIn(params.get("racing"), own) ?? usually.racing,
    changes: changesIn(params, own),
    rule: own === null ? "" : (params.get("rule") ?? ""),
    speed: number("speed", 1, 1000, usually.speed),
    at: params.has("at") ? Math.round(number("at", 0, steps, steps)) : null,
  };
}

function viewIn(text: string | null): View | null {
  const values = numbersIn(text, 4);
  if (values === null) return null;
  const [x0, x1, y0, y1] = values as unknown as View;
  return x0 < x1 && y0 < y1 ? [x0, x1, y0, y1] : null;
}

function racingIn(text: string | null, own: Racer | null): string[] | null {
  if (text === null) return null;
  const keys = new Set(text.split(","));
  return racersWith(own)
    .map(({ key }) => key)
    .filter((key) => keys.has(key));
}

function changesIn(params: URLSearchParams, own: Racer | null): Record<string, Changes> {
  const changes: Record<string, Record<string, Value>> = {};
  for (const [param, text] of params) {
    const [key = "", name = ""] = param.split(".");
    const racer = racerOf(key, own);
    const value = racer ? valueIn(racer.fields, name, text) : null;
    if (value !== null) changes[key] = { ...changes[key], [name]: value };
  }
  return changes;
}
