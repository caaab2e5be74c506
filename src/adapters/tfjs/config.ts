/**
 * Options as the configuration that tfjs-layers saves with a model, and the class that makes an optimizer of
 * it when the model is loaded.
 *
 * A file holds no functions. So whoever loads a model in another process registers the optimizer's class,
 * with the options that are functions, if there are any.
 */
import { OptionError, Prose } from "../../errors.ts";
import type { Rule } from "../../ir/rule.ts";
import type { TfOptimizerBase } from "./base.ts";
import { isMatrix, isVector, type VariableRule, type VariableSelector } from "./groups.ts";
import { fromText, toText } from "./json.ts";
import type { TfOptions } from "./options.ts";
import type { Tf } from "./tf.ts";

/** What layers save: one text, since they rename keys on the way. */
export interface Config {
  [key: string]: string;
  downhill: string;
}

/** A selector as plain data; `null` stands for a function. */
export type SavedSelector =
  | null
  | string
  | { readonly source: string; readonly flags: string }
  | { readonly is: "vector" | "matrix" }
  | readonly SavedSelector[];

type SavedRule = { readonly match: SavedSelector } & Record<string, unknown>;

export function toConfig(options: TfOptions): Config {
  const { groups, schedule, ...rest } = options as TfOptions & Record<string, unknown>;
  const plain = Object.entries(rest).filter(([, value]) => isPlain(value));
  return {
    downhill: toText({
      version: 1,
      options: Object.fromEntries(plain),
      groups: groups?.map(({ match, ...hyper }): SavedRule => ({
        ...hyper,
        match: saveSelector(match),
      })),
      schedule: schedule !== undefined,
    }),
  };
}

/**
 * @param code options from the program, for what the configuration does not hold.
 * @throws {OptionError} `NEEDS_CODE` if something is in neither.
 */
export function fromConfig(rule: Pick<Rule, "name">, config: unknown, code: TfOptions): TfOptions {
  const read = readConfig<SavedConfig>(rule.name, config);
  const groups = read.groups?.map(({ match, ...hyper }, index): VariableRule => {
    const missing = () => refuseMissing(rule, `groups[${index}].match`);
    return { ...hyper, match: loadSelector(match, code.groups?.[index]?.match, missing) };
  });
  if (read.schedule && code.schedule === undefined) refuseMissing(rule, "schedule");
  return {
    ...read.options,
    ...(groups ? { groups } : {}),
    ...(read.schedule ? { schedule: code.schedule } : {}),
  } as object as TfOptions;
}

/** What is in the text of a configuration. @throws {OptionError} `BAD_OPTION` unless `getConfig` made it. */
export function readConfig<T>(name: string, config: unknown): T {
  const text = (config as Partial<Config> | null)?.downhill;
  try {
    const read = typeof text === "string" ? fromText(text) : null;
    if ((read as { version?: unknown } | null)?.version === 1) return read as T;
  } catch {
    // A text that is damaged is as good as none.
  }
  throw new OptionError("BAD_OPTION", {
    subject: `${name}: configuration`,
    got: config,
    expected: "what getConfig() returned",
  });
}

interface SavedConfig {
  readonly options: object;
  readonly groups?: readonly SavedRule[];
  readonly schedule: boolean;
}

/** The name under which layers find the class of a rule; they would change an underscore. */
export function classNameOf(name: string): string {
  return `Downhill${name.replaceAll("_", "-")}`;
}

/** Lets layers make optimizers of configurations: the last one registered for a name counts. */
export function registerClass(
  tf: Tf,
  className: string,
  make: (config: unknown) => TfOptimizerBase,
): void {
  // All that is asked of a class.
  const made = { className, fromConfig: (_: unknown, config: unknown) => make(config) };
  tf.serialization.registerClass(made as never, "Downhill");
}

/** Backends of the user's are objects; they change no result. */
function isPlain(value: unknown): boolean {
  return (
    value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))
  );
}

export function saveSelector(match: VariableSelector): SavedSelector {
  if (match === isVector) return { is: "vector" };
  if (match === isMatrix) return { is: "matrix" };
  if (typeof match === "function") return null;
  if (Array.isArray(match)) return (match as readonly VariableSelector[]).map(saveSelector);
  if (match instanceof RegExp) return { source: match.source, flags: match.flags };
  return match as string;
}

/**
 * @param code what the program has in its place.
 * @param missing is called for a function that is in neither.
 */
export function loadSelector(
  saved: SavedSelector,
  code: VariableSelector | undefined,
  missing: () => never,
): VariableSelector {
  if (saved === null) return typeof code === "function" ? code : missing();
  if (typeof saved === "string") return saved;
  if ("source" in saved) return new RegExp(saved.source, saved.flags);
  if ("is" in saved) return saved.is === "vector" ? isVector : isMatrix;
  const list = Array.isArray(code) ? (code as readonly VariableSelector[]) : [];
  return saved.map((each, i) => loadSelector(each, list[i], missing));
}

function refuseMissing(rule: Pick<Rule, "name">, option: string): never {
  throw new OptionError("NEEDS_CODE", {
    subject: `${rule.name}: ${option}`,
    got: new Prose("a configuration in which it was a function"),
    expected: "the function, which no file holds",
    advice: `Call registerOptimizer(tf, ${rule.name}, { … }) with it before loading.`,
  });
}
