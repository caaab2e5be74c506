// WebGPU for the command line: in Node it comes from the npm package `webgpu`, which is Dawn.

import { requestDevice } from "../../../backend/webgpu/device.ts";
import { describeAdapter, type Adapter } from "../../../bench/webgpu/adapter.ts";
import { BackendError, Prose } from "../../../errors.ts";

/** What Dawn is told when it starts. */
const FLAGS = {
  /** The system's GPU, whose clock is not blurred. */
  gpu: ["disable-dawn-features=timestamp_quantization"],
  /** No GPU: everything is checked and recorded as for one, and nothing is run. */
  null: ["backend=null"],
} as const;

export type GpuKind = keyof typeof FLAGS;

export interface OpenGpu extends Adapter {
  /** A new device. What is on it is freed by {@link free}, or when all is closed. */
  device(): Promise<GPUDevice>;
  /** Destroys a device, once it has done what it was given. */
  free(device: GPUDevice): Promise<void>;
  close(): Promise<void>;
}

/**
 * What `create()` returned. While a device lives, or anything that it was given is under way, this must be
 * reachable, or Dawn crashes.
 */
const held = new Set<GPU>();

/**
 * @throws {BackendError} `NO_WEBGPU` where the package is not installed or there is no driver.
 */
export async function openGpu(kind: GpuKind = "gpu"): Promise<OpenGpu> {
  const gpu = (await dawn()).create([...FLAGS[kind]]);
  held.add(gpu);
  const devices = new Set<GPUDevice>();
  const device = async (): Promise<GPUDevice> => {
    const made = await requestDevice({ gpu, powerPreference: "high-performance" });
    devices.add(made);
    return made;
  };
  const free = async (made: GPUDevice): Promise<void> => {
    await made.queue.onSubmittedWorkDone().catch(() => {}); // of a lost one nothing is under way
    made.destroy();
    devices.delete(made);
  };
  const close = async (): Promise<void> => {
    await Promise.all([...devices].map(free));
    held.delete(gpu);
  };
  try {
    const { adapterInfo } = await device();
    return { ...describeAdapter(adapterInfo), device, free, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Dawn {
  create(flags: string[]): GPU;
}

/** @param name of the package, to be found from here. */
export async function dawn(name = "webgpu"): Promise<Dawn> {
  try {
    return (await import(name)) as Dawn;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = code === "ERR_MODULE_NOT_FOUND" && message.includes(`'${name}'`);
    const failure = new BackendError("NO_WEBGPU", {
      subject: "WebGPU in Node",
      got: new Prose(isMissing ? `no package ${name}` : `a package ${name} that does not load`),
      expected: "Dawn, which it brings",
      advice: isMissing ? `npm install ${name}` : message,
    });
    failure.cause = error;
    throw failure;
  }
}
