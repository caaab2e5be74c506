/**
 * Code of a function `peakMemory()`: the most bytes of memory that a process has had so far. What Node says
 * itself is, on Linux, at least what its parent has had.
 */
export const peakMemory = `
  import { readFileSync as __read } from "node:fs";
  const peakMemory = () =>
    1024 * (process.platform === "linux"
      ? Number(/VmHWM:\\s+(\\d+)/.exec(__read("/proc/self/status", "latin1"))[1])
      : process.resourceUsage().maxRSS);`;
