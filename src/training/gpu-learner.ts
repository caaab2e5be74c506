/**
 * A network in jax-js on WebGPU whose optimizer takes its steps in the same memory. Both halves of a step are
 * waited for, so that each has its time: nothing is measured that the GPU has not done yet.
 */
import { defaultDevice, getWebGPUDevice, init, type numpy as np } from "@jax-js/jax";
import { trainable, type Forward, type GpuBackward } from "../adapters/jax/webgpu.ts";
import type { HyperDefaults, Rule } from "../index.ts";
import { GpuOptimizer, type GpuOptimizerOptions } from "../webgpu/index.ts";
import { findRule } from "./catalog.ts";
import type { Experiment } from "./experiment.ts";
import {
  imagesOf,
  joined,
  likeliest,
  lossOf,
  oneHot,
  scoresOf,
  testBatches,
  treeOf,
} from "./jax-model.ts";
import type { DigitSet } from "./mnist.ts";
import type { OptimizerChoice } from "./optimizers.ts";
import type { Learner, LearnerState, Update } from "./run.ts";

/** jax-js's device; all networks share it. `null` where there is none. */
export async function gpuDevice(): Promise<GPUDevice | null> {
  // jax-js asks `navigator` itself, which not every engine has.
  if (!(globalThis as { navigator?: Navigator }).navigator?.gpu) return null;
  const devices = await init("webgpu");
  return devices.includes("webgpu") ? getWebGPUDevice() : null;
}

/** Why an optimizer cannot take its steps on the GPU, as a sentence; or `null`. */
export function whyNotOnGpu({ torchClass, rule }: OptimizerChoice): string | null {
  if (rule) return null;
  if (torchClass === "LBFGS") {
    return "It takes several gradients within a step, and waits for each.";
  }
  if (findRule(torchClass).matrices) {
    return "It updates matrices, and leaves the biases to another optimizer.";
  }
  return null;
}

/** Another network may compute on another device. */
const useGpu = (): unknown => defaultDevice("webgpu");

export class GpuLearner implements Learner {
  readonly backend = "webgpu";
  private readonly model: ReturnType<typeof modelOf>;
  private readonly backward: GpuBackward<[np.Array, np.Array]>;
  private readonly forward: Forward<[np.Array], np.Array>;
  private readonly optimizer: GpuOptimizer;
  private readonly device: GPUDevice;
  private readonly examples: DigitSet;

  /** @param device of {@link gpuDevice}. */
  constructor(
    device: GPUDevice,
    experiment: Experiment,
    { torchClass, options, rule }: OptimizerChoice,
    examples: DigitSet,
  ) {
    this.device = device;
    this.examples = examples;
    this.model = modelOf(experiment);
    this.backward = this.model.backward(lossOf(experiment));
    this.forward = this.model.forward(scoresOf(experiment));
    try {
      this.optimizer = new GpuOptimizer(
        (rule ?? findRule(torchClass)) as Rule<HyperDefaults>,
        this.model.parameters,
        options as GpuOptimizerOptions<HyperDefaults>,
      );
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  async update(batch: Uint32Array): Promise<Update> {
    const { optimizer, examples } = this;
    useGpu();
    const before = performance.now();
    optimizer.zeroGrad();
    const loss = await this.backward(imagesOf(examples, batch), oneHot(examples, batch)).read();
    const between = performance.now();
    optimizer.step();
    await this.device.queue.onSubmittedWorkDone();
    return { loss, gradientMs: between - before, optimizerMs: performance.now() - between };
  }

  async read(examples: DigitSet): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (const images of testBatches(examples)) {
      useGpu();
      const scores = await this.forward(images).data();
      parts.push(likeliest(scores as Float32Array));
    }
    return joined(parts);
  }

  async state(): Promise<LearnerState> {
    const entries = this.model.parameters.map(async (parameter) => [
      parameter.name ?? "",
      { data: await parameter.read(), shape: parameter.shape },
    ]);
    const optimizer = await this.optimizer.stateDict();
    return { parameters: Object.fromEntries(await Promise.all(entries)), optimizer };
  }

  dispose(): void {
    this.backward.dispose();
    this.forward.dispose();
    this.model.dispose();
  }
}

function modelOf(experiment: Experiment) {
  useGpu();
  return trainable(treeOf(experiment));
}
