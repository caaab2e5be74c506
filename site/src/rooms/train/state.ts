/**
 * What is set in the room, and how it stands in the address: only what differs from the usual. Whatever an
 * address says that makes no sense here is left out.
 */
import { defaultExperiment, type Activation } from "../../../../src/training/experiment.ts";
import type { Experiment } from "../../../../src/training/experiment.ts";
import { defaultOptimizers } from "../../../../src/training/optimizers.ts";
import { numberIn, valueIn } from "../../ui/address-values.ts";
import type { Changes, Value } from "../../ui/hyper.ts";
import { contestants, ownContestant, type Contestant, type OwnContestant } from "./contestants.ts";
import type { Device } from "./protocol.ts";

export interface TrainState {
  /** Keys, in the order of {@link contestants}, one's own last. */
  readonly optimizers: readonly string[];
  readonly changes: Readonly<Record<string, Changes>>;
  /** The text of one's own rule; empty where there is none. */
  readonly rule: string;
  readonly epochs: number;
  readonly batch: number;
  /** Widths of the layers between pixels and digits, with commas. */
  readonly hidden: string;
  readonly activation: Activation;
  readonly seed: number;
  readonly device: Device;
}

export const MOST_EPOCHS = 20;
export const batchSizes: readonly number[] = [16, 32, 64, 128, 256, 512, 1024];
export const hiddenLayers: readonly string[] = ["16", "64", "128,64", "256,128"];
export const activations: readonly Activation[] = ["tanh", "relu"];
export const devices: readonly Device[] = ["wasm", "webgpu"];

export const usual: TrainState = {
  optimizers: defaultOptimizers,
  changes: {},
  rule: "",
  epochs: 1,
  batch: defaultExperiment.batchSize,
  hidden: defaultExperiment.layers.slice(1, -1).join(","),
  activation: defaultExperiment.activation,
  seed: defaultExperiment.seed,
  device: "wasm",
};

export function experimentOf(state: TrainState): Experiment {
  const { epochs, batch, hidden, activation, seed } = state;
  const [pixels, classes] = [defaultExperiment.layers[0]!, defaultExperiment.layers.at(-1)!];
  const layers = [pixels, ...hidden.split(",").map(Number), classes];
  return { layers, activation, batchSize: batch, epochs, seed };
}

/** One's own rule, if the address brings one. */
export function ownOf({ rule }: TrainState): OwnContestant | null {
  return rule === "" ? null : ownContestant(rule);
}

/** All that may be trained, one's own last. */
export function allOf(state: TrainState): readonly Contestant[] {
  const own = ownOf(state);
  return own === null ? contestants : [...contestants, own];
}

const written = [
  ...(["optimizers", "epochs", "batch", "hidden", "activation", "seed"] as const),
  ...(["device", "rule"] as const),
];

/** State as parameters of an address. */
export function writeState(state: TrainState): URLSearchParams {
  const params = new URLSearchParams();
  for (const name of written) {
    const text = String(state[name]);
    if (text !== String(usual[name])) params.set(name, text);
  }
  for (const [key, changes] of Object.entries(state.changes)) {
    for (const [name, value] of Object.entries(changes)) {
      params.set(`${key}.${name}`, String(value));
    }
  }
  return params;
}

/** The state that parameters of an address ask for. */
export function readState(params: URLSearchParams): TrainState {
  const one = <T extends string>(name: string, among: readonly T[], otherwise: T): T =>
    among.find((each) => each === params.get(name)) ?? otherwise;
  const whole = (name: string, least: number, most: number, otherwise: number): number => {
    const value = numberIn(params.get(name));
    if (value === null) return otherwise;
    return Math.min(Math.max(Math.round(value), least), most);
  };
  const state: TrainState = {
    ...usual,
    rule: params.get("rule") ?? "",
    epochs: whole("epochs", 1, MOST_EPOCHS, usual.epochs),
    batch: Number(one("batch", batchSizes.map(String), String(usual.batch))),
    hidden: one("hidden", hiddenLayers, usual.hidden),
    activation: one("activation", activations, usual.activation),
    seed: whole("seed", 1, 2 ** 31, usual.seed),
    device: one("device", devices, usual.device),
  };
  const known = allOf(state);
  const keys = new Set(params.get("optimizers")?.split(","));
  const optimizers = params.has("optimizers")
    ? known.map(({ key }) => key).filter((key) => keys.has(key))
    : usual.optimizers;
  return { ...state, optimizers, changes: changesIn(params, known) };
}

function changesIn(params: URLSearchParams, known: readonly Contestant[]): Record<string, Changes> {
  const changes: Record<string, Record<string, Value>> = {};
  for (const [param, text] of params) {
    const [key = "", name = ""] = param.split(".");
    const contestant = known.find((each) => each.key === key);
    const value = contestant ? valueIn(contestant.fields, name, text) : null;
    if (value !== null) changes[key] = { ...changes[key], [name]: value };
  }
  return changes;
}
