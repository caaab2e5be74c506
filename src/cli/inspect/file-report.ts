/** What `inspect` has to say of a file: the same for people and for programs. */
import type { PlainData } from "../../checkpoint/index.ts";
import type { Statistics } from "./statistics.ts";

export interface TensorReport {
  readonly name: string;
  /** What it is to the run. */
  readonly what: "parameter" | "state" | "average" | "data" | "tensor";
  /** As the file names it: `F32`, `float32`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly bytes: number;
  /** `null` where they were not asked for, or where the type has no numbers. */
  readonly statistics: Statistics | null;
  /** Whether its digest fits; `null` where there is none, or nobody looked. */
  readonly isWhole: boolean | null;
}

export interface GroupReport {
  /** The member of a composite, and its class. */
  readonly member?: string;
  readonly parameters: number;
  readonly elements: number;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface OptimizerReport {
  /** Where it stands, if not in the place of the optimizer: `averages.0`. */
  readonly place: string;
  /** Its class, or the classes that have such options. */
  readonly name: string;
  /** The least and the greatest count of steps of a parameter. */
  readonly steps: readonly [number, number] | null;
  readonly groups: readonly GroupReport[];
}

export interface FileReport {
  readonly file: string;
  readonly bytes: number;
  readonly format: "downhill" | "safetensors" | "torch";
  readonly version: string | null;
  readonly step: number | null;
  readonly optimizers: readonly OptimizerReport[];
  readonly schedulers: readonly { readonly name: string; readonly step: number | null }[];
  /** What else is in it, cut where it is long. */
  readonly also: Readonly<Record<string, PlainData>>;
  /** Whether the header's digest fits; `null` where there is none. */
  readonly isHeaderWhole: boolean | null;
  /** What was compared: `SHA-256`, `CRC-32`; `null` if nothing was. */
  readonly digest: string | null;
  readonly tensors: readonly TensorReport[];
}

/** Names of what is damaged. */
export function damageOf({ isHeaderWhole, tensors }: FileReport): string[] {
  const names = tensors.filter((one) => one.isWhole === false).map(({ name }) => name);
  return isHeaderWhole === false ? ["the header", ...names] : names;
}

export interface Total {
  readonly what: string;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** By what they are, and of all together. */
export function totalsOf(tensors: readonly TensorReport[]): Total[] {
  const kinds = [...new Set(tensors.map(({ what }) => what))];
  const sum = (what: string, list: readonly TensorReport[]): Total => ({
    what,
    tensors: list.length,
    elements: list.reduce((total, { elements }) => total + elements, 0),
    bytes: list.reduce((total, { bytes }) => total + bytes, 0),
  });
  const each = kinds.map((kind) =>
    sum(
      kind,
      tensors.filter(({ what }) => what === kind),
    ),
  );
  return kinds.length === 1 ? [sum("total", tensors)] : [...each, sum("total", tensors)];
}
