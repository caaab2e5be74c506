/** The little of WebGPU that is the same for every kernel. */

/** WebGPU's flags: browsers have them as globals, Node has not, and TypeScript does not know them yet. */
export const Usage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 } as const;
export const MAP_READ = 0x1;

type Buffers = readonly (GPUBuffer | GPUBufferBinding)[];

export interface KernelOptions {
  readonly code: string;
  /** Values of the shader's overrides. */
  readonly constants: Readonly<Record<string, number>>;
  /** The grid. */
  readonly workgroups: readonly [x: number, y?: number];
  /** In the order of their bindings. */
  readonly buffers: Buffers;
}

/** Records a dispatch. */
export type Kernel = (pass: GPUComputePassEncoder) => void;

export function createKernel(
  device: GPUDevice,
  label: string,
  { code, constants, workgroups, buffers }: KernelOptions,
): Kernel {
  const module = device.createShaderModule({ label, code });
  const compute = { module, constants };
  const pipeline = device.createComputePipeline({ label, layout: "auto", compute });
  const bindings = bind(device, pipeline, buffers);
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindings);
    pass.dispatchWorkgroups(...workgroups);
  };
}

export function bind(
  device: GPUDevice,
  pipeline: GPUComputePipeline | GPURenderPipeline,
  buffers: Buffers,
): GPUBindGroup {
  const entries = buffers.map((buffer, binding) => ({
    binding,
    resource: "buffer" in buffer ? buffer : { buffer },
  }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}
