// What the memory of a GPU can do, in the same language: two streams in and one out, and a copy.

import { SHARED_USAGE, Usage } from "../../memory/webgpu/constants.ts";
import { submitted, type GpuSteps } from "./clock.ts";
import { grid, kernelOf } from "./written.ts";

/** STREAM's triad, a = b + s c, and its copy, a = b. */
export type StreamKind = "triad" | "copy";

const BODIES = { triad: "a[i] = b[i] + n.x * c[i];", copy: "a[i] = b[i];" } as const;
/** Arrays that move. */
const ARRAYS = { triad: 3, copy: 2 } as const;

/** Bytes that no cache of a GPU holds; a processor takes too long over so many. */
export function streamBytes(isProcessor: boolean): number {
  return isProcessor ? 3 * 2 ** 22 : 3 * 2 ** 28;
}

/** Bytes of one array where all have about `bytes` together, and as much as a buffer may have. */
function arrayBytes(
  { limits }: Pick<GPUDevice, "limits">,
  kind: StreamKind,
  bytes: number,
): number {
  const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  return 16 * Math.ceil(Math.min(bytes / ARRAYS[kind], most - 16) / 16);
}

/** Bytes that a run moves: each array is read or written once. */
export function streamedBytes(
  device: Pick<GPUDevice, "limits">,
  kind: StreamKind,
  bytes: number,
): number {
  return ARRAYS[kind] * arrayBytes(device, kind, bytes);
}

/** @param bytes of all its arrays, about. */
export function stream(device: GPUDevice, kind: StreamKind, bytes: number): GpuSteps {
  const arrays = ARRAYS[kind];
  const size = arrayBytes(device, kind, bytes);
  const block = device.createBuffer({ size: 16, usage: Usage.uniform | Usage.copyTarget });
  device.queue.writeBuffer(block, 0, Float32Array.of(3, 0, 0, 0));
  const buffers = Array.from({ length: arrays }, (_, k) => {
    const buffer = device.createBuffer({ size, usage: SHARED_USAGE });
    device.queue.writeBuffer(buffer, 0, Float32Array.of(k + 1, k + 2, k + 3, k + 4));
    return buffer;
  });
  const isTriad = kind === "triad";
  const kernel = kernelOf(device, streamShader(kind), [...buffers, ...(isTriad ? [block] : [])]);
  const { x, y } = grid(device, size / 16);
  const encode = (pass: GPUComputePassEncoder): void => {
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, kernel.group);
    pass.dispatchWorkgroups(x, y);
  };
  return submitted(device, encode);
}

export function streamShader(kind: StreamKind): string {
  const isTriad = kind === "triad";
  return `@group(0) @binding(0) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
${
  isTriad
    ? `@group(0) @binding(2) var<storage, read> c: array<vec4f>;
@group(0) @binding(3) var<uniform> n: vec4f;
`
    : ""
}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i >= arrayLength(&a)) { return; }
  ${BODIES[kind]}
}
`;
}
