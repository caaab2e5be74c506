/** Single kernels on a GPU and in the interpreter, without an optimizer around them. */
import { InterpBackend } from "../../src/backend/interp.ts";
import {
  FIRST_SLOT,
  lowerElements,
  storedSlots,
  WORKGROUP,
} from "../../src/backend/webgpu/lower.ts";
import type { KernelIr } from "../../src/ir/plan.ts";
import { Arena } from "../../src/memory/arena.ts";
import { readBuffer } from "./webgpu.ts";

/** Elements or vectors of four that a workgroup works off. */
const ITEM = WORKGROUP;

/** Runs a kernel over its slots' numbers, whose length is a multiple of 4, and returns what they are then. */
export function interpret(
  kernel: KernelIr,
  slots: readonly Float32Array[],
  uniforms: readonly number[] = [],
): Float32Array[] {
  const count = slots[0]!.length;
  const arena = new Arena("float32", 1 << 16);
  const bound = new InterpBackend().compile(kernel, "float32").bind(arena, () => 0, 0);
  const places = slots.map(() => arena.allocate(4 * count));
  slots.forEach((values, slot) => {
    arena.view(places[slot]!, count).set(values);
    bound.setPointer(slot, places[slot]!);
  });
  uniforms.forEach((value, index) => bound.setUniform(index, value));
  bound.run([0, count], 1, 1);
  return places.map((place) => arena.view(place, count).slice() as Float32Array);
}

/** The same on a GPU, four elements at a time or, as at the end of a buffer of the user's, one by one. */
export async function runOnGpu(
  device: GPUDevice,
  kernel: KernelIr,
  slots: readonly Float32Array[],
  uniforms: readonly number[] = [],
  tail = false,
): Promise<Float32Array[]> {
  const length = slots[0]!.length / (tail ? 1 : 4);
  const items = Array.from({ length: Math.ceil(length / ITEM) }, (_, i) => [
    0,
    i * ITEM,
    Math.min(length, (i + 1) * ITEM),
    0,
  ]);
  const code = lowerElements(kernel, {
    numbers: { stride: uniforms.length, sources: uniforms.map((_, index) => index) },
    writable: storedSlots(kernel),
    tail,
  });
  const bindGroupLayout = layoutOf(device, kernel);
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
    compute: { module: device.createShaderModule({ code }) },
  });
  const bufferOf = (values: Uint32Array | Float32Array): GPUBuffer => {
    const buffer = device.createBuffer({ size: values.byteLength, usage: 0x80 | 0x8 | 0x4 }); // STORAGE | COPY_DST | COPY_SRC
    device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
    return buffer;
  };
  const buffers = slots.map(bufferOf);
  const bindings = [
    bufferOf(Uint32Array.from(items.flat())),
    bufferOf(Float32Array.from([...uniforms, 0])),
    ...buffers,
  ];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: bindGroupLayout,
      entries: bindings.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  pass.dispatchWorkgroups(items.length);
  pass.end();
  device.queue.submit([encoder.finish()]);
  return Promise.all(
    buffers.map(async (buffer) => new Float32Array(await readBuffer(device, buffer))),
  );
}

function layoutOf(device: GPUDevice, kernel: KernelIr): GPUBindGroupLayout {
  const writable = [...Array<boolean>(FIRST_SLOT).fill(false), ...storedSlots(kernel)];
  return device.createBindGroupLayout({
    entries: writable.map((stored, binding) => ({
      binding,
      visibility: 4, // COMPUTE
      buffer: { type: stored ? "storage" : "read-only-storage" },
    })),
  });
}
