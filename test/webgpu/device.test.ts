/** The ground that the tests with WebGPU stand on: a device that computes, and what must not be done to it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findVulkan, noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, readBuffer, uncapturedErrors } from "../helpers/webgpu.ts";

/** STORAGE | COPY_DST | COPY_SRC */
const usage = 0x80 | 0x8 | 0x4;

describe.skipIf(noVulkan)("WebGPU in Node", () => {
  test("a device adds", async () => {
    const device = await gpuDevice();
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: {
        module: device.createShaderModule({
          code: `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
            @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) { x[i] += 0.5; }`,
        }),
      },
    });
    const buffer = device.createBuffer({ size: 16, usage });
    device.queue.writeBuffer(buffer, 0, new Float32Array([1, 2, 3, 4]));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer } }],
      }),
    );
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    expect(new Float32Array(await readBuffer(device, buffer))).toEqual(
      new Float32Array([1.5, 2.5, 3.5, 4.5]),
    );
    expect(new Float32Array(await readBuffer(device, buffer, 4, 8))).toEqual(
      new Float32Array([2.5, 3.5]),
    );
  });

  test("an error that nobody catches is told", async () => {
    const device = await gpuDevice();
    device.createBuffer({ size: 16, usage: 0 });
    expect(await uncapturedErrors()).toEqual([expect.stringContaining("usage") as string]);
    expect(await uncapturedErrors()).toEqual([]);
  });

  test("a device may have the adapter's limits", async () => {
    const device = await gpuDevice(({ limits: { maxStorageBuffersPerShaderStage } }) => ({
      requiredLimits: { maxStorageBuffersPerShaderStage },
    }));
    expect(device.limits.maxStorageBuffersPerShaderStage).toBeGreaterThan(8);
  });

  // When one of these fails, Dawn has been mended, and the care that is taken of it can go.
  test.each([
    [
      "what create() returned is lost while a device lives",
      `const use = async () => {
         const device = await (await hold(create([])).requestAdapter()).requestDevice();
         for (let i = 0; i < 20; i++) {
           gc();
           await new Promise((resolve) => setTimeout(resolve, 5));
           await device.queue.onSubmittedWorkDone();
         }
         device.destroy();
       };
       await use();`,
      "let held; const hold = (gpu) => (held = gpu);",
      "const hold = (gpu) => gpu;",
    ],
    [
      "what create() returned is lost while work is under way, on a device that is destroyed",
      `for (let i = 0; i < 20; i++) {
         await (async () => {
           const gpu = create(["backend=null"]);
           const device = await (await gpu.requestAdapter()).requestDevice();
           const buffer = device.createBuffer({ size: 4096, usage: ${usage} });
           device.queue.writeBuffer(buffer, 0, new Float32Array(1024));
           const encoder = device.createCommandEncoder();
           encoder.clearBuffer(buffer);
           device.queue.submit([encoder.finish()]);
           await end(device);
           device.destroy();
           gpu.toString();
         })();
         gc();
         await new Promise((resolve) => setTimeout(resolve, 2));
       }`,
      "const end = (device) => device.queue.onSubmittedWorkDone();",
      "const end = () => {};",
    ],
    [
      "writeBuffer is given shared memory",
      `const gpu = create([]);
       const device = await (await gpu.requestAdapter()).requestDevice();
       const buffer = device.createBuffer({ size: 16, usage: ${usage} });
       device.queue.writeBuffer(buffer, 0, memory);
       await device.queue.onSubmittedWorkDone();
       device.destroy();
       gpu.toString();`,
      "const memory = new Float32Array(4);",
      "const memory = new Float32Array(new SharedArrayBuffer(16));",
    ],
  ])("Node crashes when %s", (_, code, good, bad) => {
    const run = (before: string) =>
      spawnSync(
        process.execPath,
        [
          "--expose-gc",
          "--input-type=module",
          "-e",
          `import { create } from "webgpu"; ${before} ${code} process.exit(0);`,
        ],
        {
          cwd: fileURLToPath(new URL("../..", import.meta.url)),
          env: { ...process.env, VK_DRIVER_FILES: findVulkan()! },
          timeout: 5_000,
          killSignal: "SIGKILL",
        },
      );
    expect(run(good)).toMatchObject({ status: 0 });
    // It may also hang in its end, and is killed for that.
    expect(["SIGSEGV", "SIGABRT", "SIGKILL"]).toContain(run(bad).signal);
  });
});
