/**
 * What is made once per device: pipelines by their shaders, layouts of bindings, and whether it is lost.
 */
import { BackendError, Prose } from "../../errors.ts";
import { COMPUTE_STAGE } from "../../memory/webgpu/constants.ts";

/** How a shader uses a binding; `dynamic` ones get their offset when they are set. */
export type BindingKind = "read" | "write" | "dynamic" | "uniform";

export class Gpu {
  readonly device: GPUDevice;
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly pipelines = new Map<string, GPUComputePipeline>();
  private loss: GPUDeviceLostInfo | undefined;
  /** What went wrong with something that was made, in the browser's words. */
  private failure: GPUError | undefined;

  private constructor(device: GPUDevice) {
    this.device = device;
    void device.lost.then((info) => (this.loss = info));
  }

  /** That of a device; the same each time. */
  static of(device: GPUDevice): Gpu {
    let gpu = known.get(device);
    if (!gpu) known.set(device, (gpu = new Gpu(device)));
    return gpu;
  }

  /** @throws {BackendError} `DEVICE_LOST` or `GPU_FAILED` if what is on the device cannot be relied upon. */
  requireSound(subject: string): void {
    if (this.loss) {
      throw new BackendError("DEVICE_LOST", {
        subject,
        got: new Prose(
          `a GPU device that was lost (${this.loss.reason}${this.loss.message && `: ${this.loss.message}`})`,
        ),
        expected: "a device that is there",
        advice:
          "What was on it is gone. Make a new device, parameters and optimizer, and load the last state dict.",
      });
    }
    if (!this.failure) return;
    throw new BackendError("GPU_FAILED", {
      subject,
      got: new Prose(`an error of the device: ${this.failure.message}`),
      expected: "memory and pipelines that can be made",
      advice: "No step has been taken since. Out of memory: use fewer parameters, or less state.",
    });
  }

  /** Makes something; if the device refuses, the next call to {@link requireSound} says so. */
  guarded<T>(make: () => T): T {
    const { device } = this;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    try {
      return make();
    } finally {
      for (const found of [device.popErrorScope(), device.popErrorScope()]) {
        // A scope of a lost device rejects; the loss itself is noticed elsewhere.
        void found.then(
          (error) => (this.failure ??= error ?? undefined),
          () => {},
        );
      }
    }
  }

  layout(kinds: readonly BindingKind[]): GPUBindGroupLayout {
    const key = kinds.join(" ");
    let layout = this.layouts.get(key);
    if (!layout) {
      this.requireRoom(kinds);
      const entries = kinds.map((kind, binding) => entryOf(kind, binding));
      this.layouts.set(key, (layout = this.device.createBindGroupLayout({ entries })));
    }
    return layout;
  }

  /** The pipeline of a shader whose entry point is `main`. */
  pipeline(code: string, kinds: readonly BindingKind[]): GPUComputePipeline {
    const key = `${kinds.join(" ")}\n${code}`;
    let pipeline = this.pipelines.get(key);
    if (!pipeline) {
      const { device } = this;
      const layout = device.createPipelineLayout({ bindGroupLayouts: [this.layout(kinds)] });
      const module = device.createShaderModule({ code });
      pipeline = device.createComputePipeline({ layout, compute: { module, entryPoint: "main" } });
      this.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  private requireRoom(kinds: readonly BindingKind[]): void {
    const buffers = kinds.filter((kind) => kind !== "uniform").length;
    const most = this.device.limits.maxStorageBuffersPerShaderStage;
    if (buffers <= most) return;
    throw new BackendError("TOO_MANY_BUFFERS", {
      subject: "a kernel of the rule",
      got: new Prose(`${buffers} buffers at once`),
      expected: `at most ${most}, as the device has been asked for`,
      advice:
        "Use requestDevice(), which asks for what the adapter has, or a rule with less state.",
    });
  }
}

const known = new WeakMap<GPUDevice, Gpu>();

function entryOf(kind: BindingKind, binding: number): GPUBindGroupLayoutEntry {
  const type: GPUBufferBindingType =
    kind === "uniform" ? "uniform" : kind === "write" ? "storage" : "read-only-storage";
  const buffer = { type, hasDynamicOffset: kind === "dynamic" };
  return { binding, visibility: COMPUTE_STAGE, buffer };
}
