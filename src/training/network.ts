/** What training needs of a network. */
import type { Parameter } from "../index.ts";
import type { DigitSet } from "./mnist.ts";

export interface Network {
  readonly parameters: readonly Parameter[];
  /** Number of trained numbers. */
  readonly size: number;
  /** Sets all parameters back to the experiment's initial weights. */
  reset(): void;
  /** Fills the gradients for the examples with these indices; returns their mean loss. */
  backward(data: DigitSet, batch: Uint32Array): number;
  /** What it takes each example for. */
  read(data: DigitSet): Uint8Array;
  dispose(): void;
}
