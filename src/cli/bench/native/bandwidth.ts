// The memory's bandwidth as a program can have it: the best rate at which C reads and writes one array
// in place, over WebAssembly memory like the optimizers'.

import { Arena } from "../../../memory/arena.ts";
import type { Library } from "./library.ts";
import { loopOf } from "./numbers.ts";

export interface Bandwidth {
  /**
   * The best of several rounds, in GB/s: bytes read and bytes written.
   *
   * @param bytes the working set.
   */
  measure(bytes: number, threads: number): Promise<number>;
}

/** A round takes at least so long, for the clock's sake. */
const ROUND_MS = 2;
const ROUNDS = 15;

export function bandwidthOf(library: Library): Bandwidth {
  return {
    measure: async (bytes, threads) => {
      const size = Math.max(1, Math.floor(bytes / 4));
      const arena = new Arena("float32", 4 * size);
      const x = (arena.view(arena.allocate(4 * size), size) as Float32Array).fill(0.5);
      const one = Float32Array.of(1);
      const together = threads > 1 ? 1 : 0;
      const pass = () => library.step(loopOf("scale"), x, null, null, null, one, size, together);
      try {
        if (together && library.openPool(threads) !== threads) {
          throw new Error(`bandwidth: ${threads} threads could not be started`);
        }
        return (2 * 4 * size) / (1e6 * best(pass));
      } finally {
        if (together) library.closePool();
      }
    },
  };
}

/** Milliseconds of the fastest pass. */
function best(pass: () => void): number {
  const round = (passes: number): number => {
    const start = performance.now();
    for (let i = 0; i < passes; i++) pass();
    return (performance.now() - start) / passes;
  };
  round(1);
  const passes = Math.max(1, Math.ceil(ROUND_MS / round(3)));
  return Math.min(...Array.from({ length: ROUNDS }, () => round(passes)));
}
