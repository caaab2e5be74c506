// The options of the command line and what they are read into. Hyperparameters are taken from the
// rules themselves, so that a new rule brings its options with it.

import { InvalidArgumentError, Option, type Command } from "commander";

import type { BackendName, HyperDefaults, PlanOptions } from "../index.ts";
import { trainable, type Known } from "../training/catalog.ts";
import {
  defaultExperiment,
  type Activation,
  type Experiment,
  type OptionValue,
} from "../training/experiment.ts";
import { kebab } from "../training/flags.ts";
import { UsageError } from "./errors.ts";

export function numberFrom(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`got ${JSON.stringify(text)}, expected a number.`);
}

const wholeFrom =
  (least: number) =>
  (text: string): number => {
    const value = numberFrom(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`got ${text}, expected a whole number from ${least} on.`);
  };

export const wholeNumberFrom = wholeFrom(1);
export const naturalFrom = wholeFrom(0);

/** A number, or several of which some may be open: `0.5`, `0.9,0.999`, `null,1e-3`. */
function numbersFrom(text: string): OptionValue {
  if (!text.includes(",")) return numberFrom(text);
  return text.split(",").map((part) => (part.trim() === "null" ? null : numberFrom(part)));
}

function nameFrom(text: string): OptionValue {
  return text === "null" ? null : text;
}

function matricesFrom(text: string): number[] {
  const parts = text.split("x").map(wholeNumberFrom);
  if (parts.length === 3) return parts;
  throw new InvalidArgumentError(`got ${JSON.stringify(text)}, expected e.g. 2000x32x32.`);
}

function widthsFrom(text: string): number[] {
  return text.split(",").map(wholeNumberFrom);
}

/** The names of all their hyperparameters. */
function allHyper(optimizers: readonly Known[]): Set<string> {
  return new Set(optimizers.flatMap(({ hyper }) => Object.keys(hyper)));
}

function ownersOf(name: string, optimizers: readonly Known[]): readonly Known[] {
  return optimizers.filter(({ hyper }) => Object.hasOwn(hyper, name));
}

/** One option for each hyperparameter of any optimizer; each refuses what it does not have. */
export function addHyperOptions(
  command: Command,
  optimizers: Readonly<Record<string, Known>>,
): Command {
  const all = Object.values(optimizers);
  for (const name of allHyper(all)) {
    const owners = ownersOf(name, all);
    const about = owners.map((rule) => rule.name).join(", ");
    // Two rules may mean different things by one name: Adam's eps is a number, Adafactor's a pair.
    const shapes = new Set(owners.map(({ hyper }) => shapeOf(hyper[name]!)));
    const value = shapes.has("") ? "" : ` <${[...shapes].join("|")}>`;
    const parse = shapes.has("name") ? nameFrom : numbersFrom;
    const option = new Option(`--${kebab(name)}${value}`, about).helpGroup(HYPER);
    command.addOption(value === "" ? option : option.argParser(parse));
  }
  return command;
}

/** How a hyperparameter's value is written; nothing for a switch. */
function shapeOf(example: HyperDefaults[string]): string {
  if (typeof example === "boolean") return "";
  if (typeof example === "number") return "number";
  return Array.isArray(example) ? ["a", "b", "c"].slice(0, example.length).join(",") : "name";
}

const HYPER = "Hyperparameters (of which optimizers):";

/** The hyperparameters that were given. */
export function hyperFrom(flags: Readonly<Record<string, unknown>>): Record<string, OptionValue> {
  const given = [...allHyper(Object.values(trainable))].filter((name) => flags[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, flags[name] as OptionValue]));
}

/** @throws {UsageError} for a hyperparameter that the rule does not have. */
export function checkHyper(rule: Known, given: Readonly<Record<string, OptionValue>>): void {
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(rule.hyper, name));
  if (stranger === undefined) return;
  const owners = ownersOf(stranger, Object.values(trainable));
  throw new UsageError(
    `--${kebab(stranger)}: got it for ${rule.name}, expected it only for ` +
      `${owners.map((known) => known.name).join(", ")}.`,
  );
}

export function addExperimentOptions(command: Command): Command {
  const { layers, batchSize, epochs, seed, activation } = defaultExperiment;
  const group = "Experiment:";
  const add = (flags: string, about: string, parse: (text: string) => unknown, value: unknown) =>
    command.addOption(
      new Option(flags, about).argParser(parse).default(value, String(value)).helpGroup(group),
    );
  add("--layers <widths>", "widths of the hidden layers", widthsFrom, layers.slice(1, -1));
  command.addOption(
    new Option("--activation <name>", "between the layers")
      .choices(["tanh", "relu"])
      .default(activation)
      .helpGroup(group),
  );
  add("--batch-size <n>", "examples per step", wholeNumberFrom, batchSize);
  add("--epochs <n>", "passes over the training examples", wholeNumberFrom, epochs);
  return add(
    "--seed <n>",
    "of the initial weights and the order of batches",
    wholeNumberFrom,
    seed,
  );
}

/** What `bench` updates, and how often. */
export function addWorkloadOptions(command: Command): Command {
  const whole = (flags: string, about: string) =>
    new Option(flags, about).argParser(wholeNumberFrom).helpGroup("Workload:");
  return command
    .addOption(whole("--layers <n>", "layers of the perceptron").default(2000))
    .addOption(whole("--width <n>", "width of each layer").default(32))
    .addOption(
      whole("--size <n>", "one tensor of so many elements instead; of a sweep the largest"),
    )
    .addOption(
      new Option("--matrices <n>x<rows>x<columns>", "so many matrices of one shape instead")
        .argParser(matricesFrom)
        .helpGroup("Workload:"),
    )
    .addOption(
      whole("--rounds <n>", "turns that each row takes; of a sweep a third of it").default(15),
    )
    .addOption(whole("--threads <n>", "of the last fused row; by default all"));
}

export function experimentFrom(flags: Readonly<Record<string, unknown>>): Experiment {
  const widths = flags["layers"] as number[];
  return {
    layers: [defaultExperiment.layers[0]!, ...widths, defaultExperiment.layers.at(-1)!],
    activation: flags["activation"] as Activation,
    batchSize: flags["batchSize"] as number,
    epochs: flags["epochs"] as number,
    seed: flags["seed"] as number,
  };
}

export function addPlanOptions(command: Command): Command {
  const group = "How a step runs (results are the same):";
  return command
    .addOption(new Option("--no-foreach", "one tensor after another").helpGroup(group))
    .addOption(new Option("--no-compile", "one operation after another").helpGroup(group))
    .addOption(
      new Option("--backend <name>", "where kernels run")
        .choices(["auto", "wasm", "interp"])
        .default("auto")
        .helpGroup(group),
    );
}

export function planFrom(flags: Readonly<Record<string, unknown>>): PlanOptions {
  return {
    foreach: flags["foreach"] as boolean,
    compile: flags["compile"] as boolean,
    backend: flags["backend"] as BackendName,
  };
}

/** Options as they read in tables and titles, e.g. `lr=0.001, betas=0.9,0.999`. */
export function showOptions(options: Readonly<Record<string, OptionValue>>): string {
  return Object.entries(options)
    .map(
      ([name, value]) =>
        `${name}=${Array.isArray(value) ? value.map(String).join(",") : String(value)}`,
    )
    .join(", ");
}
