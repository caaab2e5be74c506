/**
 * WebGPU for tests in Node: Dawn, from the npm package `webgpu`, on the Vulkan driver that
 * ./find-vulkan.ts finds.
 *
 * Three things crash Node in Dawn (test/webgpu/device.test.ts shows them): losing what `create()` returned
 * while a device lives, or while work is under way on one that is destroyed, and `writeBuffer` with shared memory. What `create()` returned also keeps Node
 * from exiting. So it is held here from the first device on, and let go after the tests of the file.
 */
import { afterAll, afterEach } from "vitest";
import { findVulkan } from "./find-vulkan.ts";

let gpu: GPU | undefined;
const devices = new Set<GPUDevice>();
const errors: string[] = [];

async function createGpu(): Promise<GPU> {
  const driver = findVulkan();
  if (driver === null) throw new Error("there is no Vulkan driver; npm run setup installs one");
  process.env["VK_DRIVER_FILES"] = driver;
  // Not as a literal: the package's types would be merged with TypeScript's own ones.
  const dawn: string = "webgpu";
  const { create } = (await import(dawn)) as { create(options: string[]): GPU };
  return create([]);
}

/** Lets libraries find WebGPU as they do in browsers: in `navigator` and among the globals. */
export async function globalGpu(): Promise<void> {
  const dawn: string = "webgpu";
  gpu ??= await createGpu();
  const { globals } = (await import(dawn)) as { globals: object };
  Object.assign(globalThis, globals);
  const value = { userAgent: "node", gpu };
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
}

/** Destroys a library's device after the tests of the file. Errors of it that nobody catches fail them. */
export function adoptDevice(device: GPUDevice): void {
  watchErrors(device);
  devices.add(device);
}

function watchErrors(device: GPUDevice): void {
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    errors.push(event.error.message);
  });
}

/**
 * A new device; it is destroyed after the tests of the file. A test in which it reports an error that
 * nobody caught fails.
 */
export async function gpuDevice(
  descriptor: (adapter: GPUAdapter) => GPUDeviceDescriptor = () => ({}),
): Promise<GPUDevice> {
  gpu ??= await createGpu();
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error(`${findVulkan()} gives no adapter`);
  const device = await adapter.requestDevice(descriptor(adapter));
  watchErrors(device);
  devices.add(device);
  return device;
}

let shared: Promise<GPUDevice> | undefined;

/** One device for all tests of the file, whose pipelines are then made once. */
export function sharedDevice(): Promise<GPUDevice> {
  return (shared ??= gpuDevice());
}

/** The errors that the devices of this file reported and nobody caught, which are then forgotten. */
export async function uncapturedErrors(): Promise<string[]> {
  await Promise.all([...devices].map((device) => device.queue.onSubmittedWorkDone()));
  return errors.splice(0);
}

afterEach(async () => {
  const found = await uncapturedErrors();
  if (found.length > 0) throw new Error(found.join("\n"));
});

afterAll(async () => {
  await Promise.all([...devices].map((device) => device.queue.onSubmittedWorkDone()));
  for (const device of devices) device.destroy();
  devices.clear();
  Reflect.deleteProperty(globalThis, "navigator");
  gpu = undefined;
});

/** `bytes` bytes of a buffer from `offset` on, as they are once all work so far is done. */
export async function readBuffer(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset = 0,
  bytes = buffer.size - offset,
): Promise<ArrayBuffer> {
  const copy = device.createBuffer({ size: bytes, usage: 1 | 8 }); // MAP_READ | COPY_DST
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, copy, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1); // READ
  const result = copy.getMappedRange().slice(0);
  copy.destroy();
  return result;
}
