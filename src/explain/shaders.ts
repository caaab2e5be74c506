// The shaders of a plan, as an optimizer on a GPU compiles them: from a device that does nothing but
// remember them.

import { ElementPlan } from "../backend/webgpu/element-plan.ts";
import { Gpu } from "../backend/webgpu/gpu.ts";
import { TensorPlan } from "../backend/webgpu/tensor/tensor-plan.ts";
import type { Plan } from "../ir/plan.ts";

/** In the order in which they are made; operations on whole matrices are not among them. */
export function shadersOf(plan: Plan): string[] {
  const shaders: string[] = [];
  const device = {
    lost: new Promise(() => {}),
    limits: { maxStorageBuffersPerShaderStage: Infinity },
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: ({ code }: GPUShaderModuleDescriptor) => shaders.push(code.trimEnd()),
    createComputePipeline: () => ({}),
  };
  const memory = {
    windows: [{ begin: 0, end: 4 }],
    // A buffer of its own for each slot, told apart by its number.
    binding: (slot: number) => ({ buffer: slot }),
  };
  const kind = plan.perTensor ? TensorPlan : ElementPlan;
  new kind(Gpu.of(device as unknown as GPUDevice), plan, memory as never, false, null);
  return shaders;
}
