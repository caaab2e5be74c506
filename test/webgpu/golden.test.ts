/** Truth on WebGPU in Node: every float32 case that was recorded of PyTorch, on every plan. */
import { describe, test } from "vitest";
import { plans } from "../helpers/backends.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { goldenCases } from "../helpers/golden.ts";
import { gpuNames, runGpuCase } from "../helpers/gpu-golden.ts";
import { expectGpuRun } from "../helpers/gpu-law.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const ways = Object.keys(plans) as (keyof typeof plans)[];

describe.skipIf(noVulkan)("WebGPU in Node", () => {
  describe.each(gpuNames)("%s", (name) => {
    const cases = goldenCases(name);
    cases.forEach((golden, i) => {
      if (golden.dtype !== "float32") return;
      const title = `${JSON.stringify(golden.options)}${golden.lr ? ", lr changing" : ""}`;
      test.each(ways)(`${title}: %s`, async (plan) => {
        const run = await runGpuCase(await sharedDevice(), name, golden, plans[plan]);
        expectGpuRun(name, golden, cases[i + 1]!, run, onSwiftShader);
      });
    });
  });
});
