// How the command line gets a network: jax-js computes, and is only loaded when a command trains, since it is
// an optional dependency.

import type { Experiment } from "../training/experiment.ts";
import type { Network } from "../training/network.ts";
import { UsageError } from "./errors.ts";

/** @throws {UsageError} if jax-js is not installed. */
export async function createNetwork(experiment: Experiment): Promise<Network> {
  const module = await import("../training/jax-network.ts").catch((error: unknown) => {
    const { code, message } = error as { code?: string; message?: string };
    if (code !== "ERR_MODULE_NOT_FOUND" || !message?.includes("@jax-js/jax")) throw error;
    throw new UsageError(
      "Training needs jax-js for the gradients, and it is not installed. " +
        "Install it: npm install @jax-js/jax@0.1.25",
    );
  });
  return module.createJaxNetwork(experiment);
}
