/** The little of WebGPU that is the same for every kernel. */

/** WebGPU's flags: browsers have them as globals, Node has not, and TypeScript does not know them yet. */
export const Usage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 } as const;
export const MAP_READ = 0x1;

/** A shader, what is bound to it, and its grid. */
export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly workgroups: readonly [x: number, y?: number];
}

/** @param buffers in the order of their bindings. */
export function createKernel(
  device: GPUDevice,
  label: string,
  code: string,
  size: number,
  workgroups: readonly [x: number, y?: number],
  buffers: readonly (GPUBuffer | GPUBufferBinding)[],
): Kernel {
  const module = device.createShaderModule({ label, code });
  const compute = { module, constants: { SIZE: size } };
  const pipeline = device.createComputePipeline({ label, layout: "auto", compute });
  const bindings = bind(device, pipeline, buffers);
  return { pipeline, bindings, workgroups };
}

export function bind(
  device: GPUDevice,
  pipeline: GPUComputePipeline | GPURenderPipeline,
  buffers: readonly (GPUBuffer | GPUBufferBinding)[],
): GPUBindGroup {
  const entries = buffers.map((buffer, binding) => ({
    binding,
    resource: "buffer" in buffer ? buffer : { buffer },
  }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}

export function run(pass: GPUComputePassEncoder, kernel: Kernel): void {
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, kernel.bindings);
  pass.dispatchWorkgroups(...kernel.workgroups);
}
