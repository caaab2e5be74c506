// What takes part in a benchmark: one way to run an optimizer's step, on a workload of its own kind.

/** The optimizers that all kinds of rows have, by hand, in C and in other libraries. */
export const benchedOptimizers = ["sgd", "momentum", "rmsprop", "adam", "adamw"] as const;
export type WrittenOptimizer = (typeof benchedOptimizers)[number];
/** One of these, or any rule of the catalog; each contender maps it to what it has. */
export type BenchedOptimizer = string;

export function isWritten(optimizer: BenchedOptimizer): optimizer is WrittenOptimizer {
  return (benchedOptimizers as readonly string[]).includes(optimizer);
}

/** Why rows that are written for these have no other. */
export const NOT_WRITTEN = `it is written for ${benchedOptimizers.join(", ")} only`;

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

/** Tensors to update: how many elements each has. */
export interface Workload {
  /** For people, e.g. `2000 layers of width 32`. */
  readonly title: string;
  readonly sizes: readonly number[];
  /** Where tensors are matrices: rows and columns of them all. */
  readonly shape?: readonly [rows: number, columns: number];
  /** Elements in all. */
  readonly parameters: number;
}

/** Whose code runs; what the memory can do is a family of its own. */
export type Family = "typescript" | "downhill" | "pytorch" | "tfjs" | "jaxjs" | "native" | "memory";

/** One row of the table. */
export interface Contender {
  /** Unique, for JSON and for `--rows`, e.g. `pytorch-foreach`. */
  readonly key: string;
  /** For people, e.g. `PyTorch, foreach`. */
  readonly label: string;
  readonly family: Family;
  /** Threads it computes on; 0 for rows of a benchmark on a GPU. */
  readonly threads: number;
  /** What it steps, where that is another optimizer than the other rows'. */
  readonly instead?: BenchedOptimizer;
  /** Bytes that it moves in all, where that is not what the optimizer's step must move. */
  readonly bytes?: number;
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
  /** Other times of the steps that were taken last, in milliseconds of a step, by name. */
  others?(): Readonly<Record<string, number>>;
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
