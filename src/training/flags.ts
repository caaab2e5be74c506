/** A run as the flags of `downhill train` that make the same one. */
import { catalog, trainable } from "./catalog.ts";
import { defaultExperiment, type Experiment, type OptionValue } from "./experiment.ts";
import type { OptimizerChoice } from "./optimizers.ts";

/** A name in camelCase as it is written in a flag: `t-max`. */
export const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** Arguments after `downhill train`; what is as it is by default is left out. */
export function trainFlags(
  { torchClass, rule, options }: OptimizerChoice,
  experiment: Experiment,
): string[] {
  const { layers, activation, batchSize, epochs, seed } = experiment;
  const usual = defaultExperiment;
  const hidden = (widths: readonly number[]) => widths.slice(1, -1).join(",");
  const setting = [
    ["layers", hidden(layers), hidden(usual.layers)],
    ["activation", activation, usual.activation],
    ["batch-size", batchSize, usual.batchSize],
    ["epochs", epochs, usual.epochs],
    ["seed", seed, usual.seed],
  ] as const;
  const isUsual = !rule && torchClass === catalog["adam"]!.name;
  return [
    ...(rule ? ["--rule", rule.formula] : isUsual ? [] : ["--optimizer", torchClass.toLowerCase()]),
    ...Object.entries(options).flatMap(([name, value]) => optionFlags(name, value)),
    ...setting.flatMap(([name, value, otherwise]) =>
      value === otherwise ? [] : [`--${name}`, String(value)],
    ),
  ];
}

/** The names of those that no flag sets: the rules that come with Downhill have no such, or it is off. */
export function withoutFlag(options: OptimizerChoice["options"]): string[] {
  const known = new Set(Object.values(trainable).flatMap(({ hyper }) => Object.keys(hyper)));
  const entries = Object.entries(options);
  return entries.flatMap(([name, value]) => (known.has(name) && value !== false ? [] : [name]));
}

/** A switch stands alone, and is left out where it is off. */
function optionFlags(name: string, value: OptionValue): string[] {
  const flag = `--${kebab(name)}`;
  if (typeof value === "boolean") return value ? [flag] : [];
  return [flag, Array.isArray(value) ? value.map(String).join(",") : String(value)];
}

/** Arguments as they are typed in a shell. */
export function inShell(args: readonly string[]): string {
  return args
    .map((arg) => (/^[\w./,=:-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
