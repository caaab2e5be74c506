// What takes part in a benchmark: one way to run an optimizer's step, on a workload of its own kind.

/** The optimizers that are compared; each contender maps them to what it has. */
export const benchedOptimizers = ["sgd", "momentum", "rmsprop", "adam", "adamw"] as const;
export type BenchedOptimizer = (typeof benchedOptimizers)[number];

/**
 * Hyperparameters, the same for every contender: PyTorch's defaults, with momentum 0.9.
 * An absent one is 0.
 */
export const hyperparameters = {
  sgd: { lr: 1e-3 },
  momentum: { lr: 1e-3, momentum: 0.9 },
  rmsprop: { lr: 1e-2, alpha: 0.99, eps: 1e-8 },
  adam: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
  adamw: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 1e-2 },
} as const;

/** Bytes that a fused step must move per float32 parameter: every tensor read and written once. */
export const bytesPerParameter: Readonly<Record<BenchedOptimizer, number>> = {
  sgd: 12,
  momentum: 20,
  rmsprop: 20,
  adam: 28,
  adamw: 28,
};

/** Bytes that lie in memory for each float32 parameter: p, g and the state. */
export const workingSetPerParameter: Readonly<Record<BenchedOptimizer, number>> = {
  sgd: 8,
  momentum: 12,
  rmsprop: 12,
  adam: 16,
  adamw: 16,
};

/** Tensors to update: how many elements each has. */
export interface Workload {
  /** For people, e.g. `2000 layers of width 32`. */
  readonly title: string;
  readonly sizes: readonly number[];
  /** Elements in all. */
  readonly parameters: number;
}

/** Whose code runs. */
export type Family = "typescript" | "downhill" | "pytorch" | "tfjs" | "jaxjs" | "native";

/** One row of the table. */
export interface Contender {
  /** Unique, for JSON and for `--rows`, e.g. `pytorch-foreach`. */
  readonly key: string;
  /** For people, e.g. `PyTorch, foreach`. */
  readonly label: string;
  readonly family: Family;
  /** Threads it computes on. */
  readonly threads: number;
  /**
   * Sets up parameters and gradients for a workload.
   *
   * @returns a runner, or the reason why there is none: a sentence for the report.
   */
  prepare(optimizer: BenchedOptimizer, workload: Workload): Promise<Runner | string>;
}

/** A contender that is ready to take steps. */
export interface Runner {
  /** Takes `steps` steps; the time of each, in milliseconds. */
  run(steps: number): Promise<Float64Array>;
  /** Frees what it holds. */
  close(): Promise<void>;
  /** The parameters as they are now, where it can show them. */
  values?(): readonly Float32Array[] | Promise<readonly Float32Array[]>;
}

/** A peer found on this machine, or why there is none; for the report. */
export interface PeerVersion {
  readonly name: string;
  /** Its version, or the reason why it is missing. */
  readonly version: string;
  readonly found: boolean;
}
