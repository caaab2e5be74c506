/** How options of schedules are read: each has a kind that says what fits, and maybe a default. */
import { OptionError } from "../errors.ts";
import { refuseUnknown } from "../optim/names.ts";

/** What an option may be. */
export interface Kind<T> {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
  /** Taken where the option is not given; without it the option must be. */
  readonly fallback?: T;
}

/** One value for all groups, or a list with one for each. */
export type PerGroup<T> = T | readonly T[];

type Kinds = Readonly<Record<string, Kind<unknown>>>;
/** The values that options of such kinds have. */
export type Values<K extends Kinds> = { [N in keyof K]: K[N] extends Kind<infer T> ? T : never };

/**
 * The options with defaults filled in.
 *
 * @throws {OptionError} for one that is missing, unknown or does not fit.
 */
export function readOptions<K extends Kinds>(owner: string, given: object, kinds: K): Values<K> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const expected = `an object with ${Object.keys(kinds).join(", ")}`;
    throw new OptionError("BAD_OPTION", { subject: `${owner}: options`, got: given, expected });
  }
  refuseUnknown(owner, given, Object.keys(kinds));
  const values: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = (given as Record<string, unknown>)[name];
    const missing = value === undefined && Object.hasOwn(kind, "fallback");
    if (!missing && !kind.fits(value)) {
      const { expected } = kind;
      throw new OptionError("BAD_OPTION", { subject: `${owner}: ${name}`, got: value, expected });
    }
    values[name] = missing ? kind.fallback : value;
  }
  return values as Values<K>;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** Instead of `min`, for what must be greater. */
  readonly above?: number;
  /** Instead of `max`, for what must be less. */
  readonly below?: number;
}

const within = (value: unknown, { min, max, above, below }: Bounds): boolean =>
  typeof value === "number" &&
  Number.isFinite(value) &&
  value >= (min ?? -Infinity) &&
  value <= (max ?? Infinity) &&
  value > (above ?? -Infinity) &&
  value < (below ?? Infinity);

function interval({ min, max, above, below }: Bounds): string {
  const low = min === undefined ? `(${above ?? "-inf"}` : `[${min}`;
  const high = max === undefined ? `${below ?? "inf"})` : `${max}]`;
  return low === "(-inf" && high === "inf)" ? "" : ` in ${low}, ${high}`;
}

const withFallback = <T>(kind: Kind<T>, fallback: readonly T[]): Kind<T> =>
  fallback.length > 0 ? { ...kind, fallback: fallback[0]! } : kind;

/** A finite number within bounds. */
export function real(bounds: Bounds = {}, ...fallback: [] | [number]): Kind<number> {
  const expected = `a finite number${interval(bounds)}`;
  return withFallback({ expected, fits: (value) => within(value, bounds) }, fallback);
}

/** A whole number from `min` on. */
export function whole(min: number, ...fallback: [] | [number]): Kind<number> {
  const fits = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= min;
  return withFallback({ expected: `a whole number from ${min} on`, fits }, fallback);
}

export function flag(fallback: boolean): Kind<boolean> {
  return { expected: "true or false", fits: (value) => typeof value === "boolean", fallback };
}

export function oneOf<const T extends string>(names: readonly T[], fallback: T): Kind<T> {
  const expected = names.map((name) => JSON.stringify(name)).join(" or ");
  return { expected, fits: (value) => names.includes(value as T), fallback };
}

/** A function; `F` is taken on trust. */
export function callable<F>(): Kind<F> {
  return { expected: "a function", fits: (value) => typeof value === "function" };
}

/** What need not be given and has no default. */
export function optional<T>({ expected, fits }: Kind<T>): Kind<T | undefined> {
  return { expected, fits, fallback: undefined };
}

export function perGroup<T>(kind: Kind<T>): Kind<PerGroup<T>> {
  return {
    ...(kind as Kind<PerGroup<T>>),
    expected: `${kind.expected}, or an array with one for each group`,
    fits: (value) =>
      Array.isArray(value) ? value.length > 0 && value.every(kind.fits) : kind.fits(value),
  };
}

/** An array of numbers from 0 on, in order; numbers may be repeated. */
export function numbers(): Kind<readonly number[]> {
  const fits = (value: unknown) =>
    Array.isArray(value) &&
    value.every((n, i) => within(n, { min: 0 }) && (i === 0 || n >= (value[i - 1] as number)));
  return { expected: "an array of numbers from 0 on, in order", fits };
}

/** An array of functions, at least one; `F` is taken on trust. */
export function functions<F>(): Kind<readonly F[]> {
  const fits = (value: unknown) =>
    Array.isArray(value) && value.length > 0 && value.every((f) => typeof f === "function");
  return { expected: "an array of functions, at least one", fits };
}

/**
 * The value for a group.
 *
 * @throws {OptionError} if the list ends before it.
 */
export function valueFor<T>(owner: string, name: string, values: PerGroup<T>, group: number): T {
  if (!Array.isArray(values)) return values as T;
  if (group < values.length) return values[group] as T;
  throw new OptionError("GROUP_WITHOUT_VALUE", {
    subject: `${owner}: ${name}`,
    got: values,
    expected: `a value for paramGroups[${group}] as well`,
    advice: "One value instead of an array holds for all groups, also for those that come later.",
  });
}
