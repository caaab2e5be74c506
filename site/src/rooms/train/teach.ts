/** Where networks are trained: on the GPU if that is wanted and there is one, else in WebAssembly. */
import { wasmAllowed } from "../../../../src/backend/wasm/backend.ts";
import { createJaxNetwork } from "../../../../src/training/jax-network.ts";
import { GpuLearner, gpuDevice, whyNotOnGpu } from "../../../../src/training/gpu-learner.ts";
import { NetworkLearner } from "../../../../src/training/learner.ts";
import type { Learner } from "../../../../src/training/run.ts";
import type { Device } from "./protocol.ts";
import type { Teach } from "./session.ts";

/** @param onLost is told why, if the GPU goes away or has no memory left. */
export async function teacherOn(wanted: Device, onLost: (message: string) => void): Promise<Teach> {
  const gpu = wanted === "webgpu" ? await watchedDevice(onLost) : null;
  return async (choice, experiment, examples) => {
    const reason = wanted === "webgpu" ? reasonAgainst(gpu, whyNotOnGpu(choice)) : null;
    if (gpu && reason === null) {
      const learner = new GpuLearner(gpu, experiment, choice, examples);
      return { learner, place: { device: "webgpu", backend: learner.backend } };
    }
    const learner = await inWasm(choice, experiment, examples);
    const place = { device: "wasm", backend: learner.backend } as const;
    return { learner, place: reason === null ? place : { ...place, reason } };
  };
}

async function inWasm(...[choice, experiment, examples]: Parameters<Teach>): Promise<Learner> {
  if (!wasmAllowed()) {
    throw new Error(
      "A policy of this page’s host forbids WebAssembly, where jax-js computes gradients. WebGPU can do it.",
    );
  }
  const network = await createJaxNetwork(experiment);
  try {
    return new NetworkLearner(network, choice, examples);
  } catch (error) {
    network.dispose();
    throw error;
  }
}

function reasonAgainst(gpu: GPUDevice | null, ofChoice: string | null): string | null {
  return gpu ? ofChoice : "This browser gives no WebGPU device.";
}

let watched: GPUDevice | null = null;
let listener: (message: string) => void = () => {};

/** The device, of which one hears if it goes away. */
async function watchedDevice(onLost: (message: string) => void): Promise<GPUDevice | null> {
  listener = onLost;
  const device = await gpuDevice();
  if (!device || device === watched) return device;
  watched = device;
  const lost = async (): Promise<void> => {
    const { message, reason } = await device.lost;
    listener(`The GPU is gone (${message || reason}).`);
  };
  void lost();
  device.addEventListener("uncapturederror", ({ error }) => {
    const isMemory = error instanceof GPUOutOfMemoryError;
    listener(isMemory ? `The GPU has no memory left (${error.message}).` : error.message);
  });
  return device;
}
