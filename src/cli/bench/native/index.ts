// The native limit: the same fused loops in C, compiled for this machine and called in this process on
// the very memory that the fused rows update, all tensors in one call, the gaps between them included.

import { availableParallelism } from "node:os";

import { acquire } from "../../../bench/arena-share.ts";
import { isWritten, NOT_WRITTEN } from "../../../bench/contender.ts";
import type { Contender, PeerVersion, Runner } from "../../../bench/contender.ts";
import { timed } from "../../../bench/values.ts";
import { bandwidthOf, type Bandwidth } from "./bandwidth.ts";
import { flags, loadLibrary, NARROW, type Library } from "./library.ts";
import { loopOf, numbersOf } from "./numbers.ts";

export type { Bandwidth } from "./bandwidth.ts";

export interface Native {
  readonly contenders: Contender[];
  readonly versions: PeerVersion[];
  /** `null` without a C compiler. */
  readonly bandwidth: Bandwidth | null;
}

/**
 * The rows `native-1` and, for more than one thread, `native`; the same with vectors of 128 bits, which
 * tell what wider ones are worth that WebAssembly lacks; or none and why.
 */
export async function findNative(threads: number = availableParallelism()): Promise<Native> {
  const found = await loadLibrary();
  if (typeof found === "string") {
    return {
      contenders: [],
      versions: [{ name: "C", version: found, found: false }],
      bandwidth: null,
    };
  }
  const { library, compiler } = found;
  const narrow = await loadLibrary([NARROW]); // a compiler for another processor may not know the flag
  const counts = threads > 1 ? [1, threads] : [1];
  const rows = counts.map((count) => row(library, count, false));
  if (typeof narrow !== "string") {
    rows.push(...counts.map((count) => row(narrow.library, count, true)));
  }
  return {
    contenders: rows,
    versions: [{ name: "C", version: `${compiler}, ${flags.join(" ")}`, found: true }],
    bandwidth: bandwidthOf(library),
  };
}

function row(library: Library, threads: number, narrow: boolean): Contender {
  const name = narrow ? "native-128" : "native";
  return {
    key: threads === 1 ? `${name}-1` : name,
    label: `C${narrow ? ", 128-bit vectors" : ""}, ${threads} thread${threads > 1 ? "s" : ""}`,
    family: "native",
    threads,
    prepare: (optimizer, workload) => {
      if (!isWritten(optimizer)) return Promise.resolve(NOT_WRITTEN);
      if (threads > 1 && library.openPool(threads) !== threads) {
        library.closePool();
        return Promise.resolve(`${threads} threads could not be started`);
      }
      const shared = acquire(optimizer, workload);
      const { parameters } = shared;
      shared.optimizer(threads); // memory may grow now, and not between steps
      const numbers = new Float32Array(7);
      const loop = loopOf(optimizer);
      let t = 0;
      return Promise.resolve<Runner>({
        run: (steps) => {
          const [p, g, m = null, v = null] = shared.slots(threads);
          const step = (): void => {
            numbers.set(numbersOf(optimizer, ++t));
            library.step(loop, p!, g!, m, v, numbers, p!.length, threads > 1 ? 1 : 0);
          };
          return Promise.resolve(timed(step, steps));
        },
        values: () => parameters.map(({ data }) => data as Float32Array),
        close: () => {
          shared.release();
          if (threads > 1) library.closePool();
          return Promise.resolve();
        },
      });
    },
  };
}
