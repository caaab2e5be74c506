/** What the page and the worker that measures say to each other. */
import type { Comparison, Stage } from "../../../../src/bench/measure.ts";
import type { OptimizerKey, Task } from "./tasks.ts";

export interface Order {
  readonly kind: "measure";
  readonly optimizer: OptimizerKey;
  readonly task: Task;
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly threads: number;
}

/** The page has painted what it was told: go on. */
export interface GoOn {
  readonly kind: "go on";
}

/** What the worker finds where it runs. */
export interface Ground {
  /** What runs Downhill's kernels on the CPU. */
  readonly backend: "wasm" | "interp";
  /** Milliseconds from one reading of the clock to the next. */
  readonly resolution: number;
  /** The GPU, or `null` where none was asked for or there is none. */
  readonly gpu: GpuGround | null;
}

export interface GpuGround {
  readonly adapter: string;
  readonly isSoftware: boolean;
  /** Whether it has a clock of its own. */
  readonly hasClock: boolean;
}

/** How it stands, or what came out. */
export interface Account {
  readonly ground: Ground;
  readonly comparison: Comparison;
  /** How far each row that was held against the CPU's steps was from them, by key. */
  readonly differences: Readonly<Record<string, number>>;
}

export type Report =
  | (Account & { readonly kind: "stage"; readonly stage: Stage })
  | (Account & { readonly kind: "done" })
  | { readonly kind: "failed"; readonly message: string };
