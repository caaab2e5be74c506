// Optimizers as a good programmer writes them by hand for WebGPU: one buffer for all parameters, one for
// each kind of state, one vector of four per thread, one block of numbers, one dispatch.

import { SHARED_USAGE, Usage } from "../../memory/webgpu/constants.ts";
import { hyperparameters, type Workload, type WrittenOptimizer } from "../contender.ts";
import { gradients, startValues } from "../values.ts";
import { submitted, type GpuSteps } from "./clock.ts";

const WORKGROUP = 256;
const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

interface Written {
  /** Buffers besides parameters and gradients. */
  readonly state: readonly ("m" | "v")[];
  /** The numbers of step t, at most 8; the shader calls them `n.a`, `n.b` and so on. */
  readonly numbers: (t: number) => readonly number[];
  /** Whether they are the same in all steps, so that they are sent once. */
  readonly constant: boolean;
  readonly body: string;
}

function written(optimizer: WrittenOptimizer): Written {
  const adamLike = (decay: number): Written => ({
    state: ["m", "v"],
    constant: false,
    numbers: (t) => {
      const { lr, beta1, beta2, eps } = adam;
      const root = Math.sqrt(1 - beta2 ** t);
      return [beta1, 1 - beta1, beta2, 1 - beta2, lr / (1 - beta1 ** t), root, eps, 1 - lr * decay];
    },
    body: `let gi = g[i];
  let mi = n.a * m[i] + n.b * gi;
  let vi = n.c * v[i] + n.d * gi * gi;
  m[i] = mi;
  v[i] = vi;
  p[i] = ${decay === 0 ? "" : "n.h * "}p[i] - n.e * mi / (sqrt(vi) / n.f + n.g);`,
  });
  return {
    sgd: {
      state: [],
      constant: true,
      numbers: () => [sgd.lr],
      body: "p[i] -= n.a * g[i];",
    },
    momentum: {
      state: ["m" as const],
      constant: true,
      numbers: () => [momentum.lr, momentum.momentum],
      body: "let mi = n.b * m[i] + g[i];\n  m[i] = mi;\n  p[i] -= n.a * mi;",
    },
    rmsprop: {
      state: ["v" as const],
      constant: true,
      numbers: () => [rmsprop.lr, rmsprop.alpha, 1 - rmsprop.alpha, rmsprop.eps],
      body: `let gi = g[i];
  let vi = n.b * v[i] + n.c * gi * gi;
  v[i] = vi;
  p[i] -= n.a * gi / (sqrt(vi) + n.d);`,
    },
    adam: adamLike(0),
    adamw: adamLike(adamw.weightDecay),
  }[optimizer];
}

/** The whole shader. */
export function writtenShader(optimizer: WrittenOptimizer): string {
  const { state, body } = written(optimizer);
  const declared = state.map(
    (name, k) => `@group(0) @binding(${k + 3}) var<storage, read_write> ${name}: array<vec4f>;\n`,
  );
  return `struct Numbers { a: f32, b: f32, c: f32, d: f32, e: f32, f: f32, g: f32, h: f32 }
@group(0) @binding(0) var<uniform> n: Numbers;
@group(0) @binding(1) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(2) var<storage, read> g: array<vec4f>;
${declared.join("")}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * ${WORKGROUP}u;
  if (i >= arrayLength(&p)) { return; }
  ${body}
}
`;
}

/**
 * Steps of it, and where the parameters are: all in one buffer. Of steps that are recorded into one pass
 * all meet the numbers of the last, as there is one block for them: that is good for the clock alone.
 */
export interface WrittenSteps extends GpuSteps {
  readonly parameters: GPUBuffer;
}

export function writtenSteps(
  device: GPUDevice,
  optimizer: WrittenOptimizer,
  workload: Workload,
): WrittenSteps {
  const { state, numbers, constant } = written(optimizer);
  const size = 16 * Math.ceil(workload.parameters / 4);
  const create = () => device.createBuffer({ size, usage: SHARED_USAGE });
  const [p, g, ...rest] = [create(), create(), ...state.map(create)];
  fill(device, p!, startValues(workload));
  fill(device, g!, gradients(workload));
  const block = device.createBuffer({ size: 32, usage: Usage.uniform | Usage.copyTarget });
  const kernel = kernelOf(device, writtenShader(optimizer), [block, p!, g!, ...rest]);
  const { x, y } = grid(device, size / 16);
  const staging = new Float32Array(8);
  let t = 0;
  const encode = (pass: GPUComputePassEncoder): void => {
    t++;
    if (t === 1 || !constant) {
      staging.set(numbers(t));
      device.queue.writeBuffer(block, 0, staging);
    }
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, kernel.group);
    pass.dispatchWorkgroups(x, y);
  };
  return { ...submitted(device, encode), parameters: p! };
}

/** A pipeline and what it is bound to: buffers in order, all of which the shader uses. */
export function kernelOf(
  device: GPUDevice,
  code: string,
  buffers: readonly GPUBuffer[],
): { readonly pipeline: GPUComputePipeline; readonly group: GPUBindGroup } {
  const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
  const pipeline = device.createComputePipeline({ layout: "auto", compute });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return { pipeline, group };
}

/** Workgroups for so many vectors, in two dimensions where one does not suffice. */
export function grid(device: GPUDevice, vectors: number): { x: number; y: number } {
  const count = Math.ceil(vectors / WORKGROUP);
  const y = Math.ceil(count / device.limits.maxComputeWorkgroupsPerDimension);
  return { x: Math.ceil(count / y), y };
}

/** Writes tensors behind one another. */
function fill(device: GPUDevice, buffer: GPUBuffer, tensors: readonly Float32Array[]): void {
  const all = new Float32Array(buffer.size / 4);
  let at = 0;
  for (const tensor of tensors) {
    all.set(tensor, at);
    at += tensor.length;
  }
  device.queue.writeBuffer(buffer, 0, all);
}
