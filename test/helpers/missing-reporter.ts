/** After the summary: what was not here, so that some tests could not run, and how to get it. */
import type { Reporter } from "vitest/node";
import { findTorch } from "../../src/cli/torch.ts";
import { wideLimit } from "../../src/memory/arena.ts";
import { findChromium } from "./chromium.ts";
import { findSafetensors } from "./find-safetensors.ts";
import { findVulkan } from "./find-vulkan.ts";

export default class MissingReporter implements Reporter {
  onTestRunEnd(): void {
    const missing = [
      findTorch() === null &&
        "a Python with PyTorch, so nothing was recorded live (npm run setup installs it)",
      findSafetensors() === null &&
        "a Python with safetensors, so our reader was not compared with it (pip install safetensors)",
      findChromium() === null &&
        "Chromium, so nothing ran in a browser (npm run setup installs it)",
      findVulkan() === null &&
        "a Vulkan driver, so nothing ran with WebGPU in Node (npm run setup installs one)",
      wideLimit() === 0 &&
        "memory64, so no kernel ran in a wide memory, they were only validated (Node 24 has it)",
    ];
    for (const what of missing) if (what) process.stdout.write(`Not here: ${what}.\n\n`);
  }
}
