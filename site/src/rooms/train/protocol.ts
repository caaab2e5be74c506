/** What the page and the worker that trains say to each other. */
import type { Experiment } from "../../../../src/training/experiment.ts";
import type { OptimizerChoice } from "../../../../src/training/optimizers.ts";

export type Device = "wasm" | "webgpu";

/** One that is to be trained. */
export interface Entry {
  readonly key: string;
  /** Without a rule of one's own, which comes as text. */
  readonly choice: Omit<OptimizerChoice, "rule">;
  readonly rule?: string;
}

/** What is to be trained. */
export interface Plan {
  readonly entries: readonly Entry[];
  readonly experiment: Experiment;
  readonly device: Device;
}

export type FileKind = "record" | "checkpoint";

export type Order = { readonly id: number } & (
  | { readonly kind: "train"; readonly plan: Plan; readonly base: string }
  | { readonly kind: "pause" | "resume" | "stop" }
  | { readonly kind: "file"; readonly key: string; readonly file: FileKind }
);

/** Where an entry trains. */
export interface Place {
  readonly key: string;
  /** Of the gradients: jax-js's. */
  readonly device: Device;
  /** Of the optimizer's steps. */
  readonly backend: string;
  /** Why it is not where it was wanted. */
  readonly reason?: string;
}

/** Steps that are new, of one entry. */
export interface Steps {
  readonly key: string;
  readonly losses: Float64Array;
  /** Means over all steps so far. */
  readonly gradientMs: number;
  readonly optimizerMs: number;
}

/** How many of the test digits an entry recognizes. */
export interface Score {
  readonly key: string;
  readonly step: number;
  readonly accuracy: number;
  /** Of how many digits. */
  readonly digits: number;
  /** What it takes each of the samples for. */
  readonly taken: Uint8Array;
}

/** Some of the test digits, to be looked at. */
export interface Samples {
  /** 784 bytes each. */
  readonly images: Uint8Array<ArrayBuffer>;
  readonly labels: Uint8Array;
}

export type Report =
  /** The share of the digits that is here. */
  | { readonly kind: "loading"; readonly share: number }
  | {
      readonly kind: "begun";
      readonly steps: number;
      readonly parameters: number;
      readonly places: readonly Place[];
      readonly samples: Samples;
      /** Entries that cannot train, with the library's words. */
      readonly refusals: readonly Refusal[];
    }
  | { readonly kind: "steps"; readonly steps: readonly Steps[] }
  | { readonly kind: "score"; readonly score: Score }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  | { readonly kind: "paused" }
  | { readonly kind: "stopped" }
  | { readonly kind: "done" }
  | {
      readonly kind: "file";
      readonly key: string;
      readonly file: FileKind;
      readonly name: string;
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
  /** A file could not be made; training is not touched. */
  | { readonly kind: "unmade"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string; readonly fault: Fault };

export type Fault = "missing" | "unreachable" | "damaged" | "lost" | "other";

export interface Refusal {
  readonly key: string;
  readonly message: string;
}
