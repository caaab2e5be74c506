/** Getting a device that can do what optimizers need: with the limits and features that the adapter has. */
import { BackendError, Prose } from "../../errors.ts";

/** Features that make optimizers or their measurement better, where an adapter has them. */
const wanted: readonly GPUFeatureName[] = ["subgroups", "timestamp-query", "shader-f16"];
const limits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Which device {@link requestDevice} asks for. */
export interface DeviceOptions {
  /** By default `navigator.gpu`. In Node: `create([])` of npm's `webgpu`; keep what it returns reachable. */
  readonly gpu?: GPU;
  /** Handed to `requestAdapter`. */
  readonly powerPreference?: GPUPowerPreference;
}

/**
 * A device with the adapter's own limits for buffers (a device has 128 MiB and 8 buffers unless it is asked
 * for more), and `subgroups` and `timestamp-query` where the adapter has them. Any other device works too.
 *
 * @throws {BackendError} `NO_WEBGPU` where there is no WebGPU, or no adapter.
 */
export async function requestDevice(options: DeviceOptions = {}): Promise<GPUDevice> {
  const gpu = options.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!gpu) {
    throw noWebGpu(
      "no navigator.gpu",
      "Browsers have it on pages from https or localhost. In Node: npm install webgpu, then requestDevice({ gpu: create([]) }).",
    );
  }
  const { powerPreference } = options;
  const adapter = await gpu.requestAdapter(powerPreference ? { powerPreference } : {});
  if (!adapter) {
    throw noWebGpu(
      "no adapter",
      "The system has no driver for the GPU that WebGPU can use; on Linux that is Vulkan's.",
    );
  }
  return adapter.requestDevice({
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
  });
}

function noWebGpu(got: string, advice: string): BackendError {
  const parts = { subject: "WebGPU", got: new Prose(got), expected: "a GPU adapter", advice };
  return new BackendError("NO_WEBGPU", parts);
}
