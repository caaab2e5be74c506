// What training needs of a network, and how to get one: jax-js computes, and is only loaded when a
// command trains, since it is an optional dependency.

import type { Parameter } from "../index.ts";
import type { Experiment } from "./experiment.ts";
import type { MnistPart } from "./mnist.ts";
import { UsageError } from "./errors.ts";

export interface Network {
  readonly parameters: readonly Parameter[];
  /** Number of trained numbers. */
  readonly size: number;
  /** Sets all parameters back to the experiment's initial weights. */
  reset(): void;
  /** Fills the gradients for the examples with these indices; returns their mean loss. */
  backward(data: MnistPart, batch: Uint32Array): number;
  /** Share of the examples whose digit is recognized, from 0 to 1. */
  accuracy(data: MnistPart): number;
  dispose(): void;
}

/** @throws {UsageError} if jax-js is not installed. */
export async function createNetwork(experiment: Experiment): Promise<Network> {
  const module = await import("./jax-network.ts").catch((error: unknown) => {
    const { code, message } = error as { code?: string; message?: string };
    if (code !== "ERR_MODULE_NOT_FOUND" || !message?.includes("@jax-js/jax")) throw error;
    throw new UsageError(
      "Training needs jax-js for the gradients, and it is not installed. " +
        "Install it: npm install @jax-js/jax@0.1.25",
    );
  });
  return module.createJaxNetwork(experiment);
}
