// The native limit: the same fused loops in C, compiled for this machine and called in this process
// over a WebAssembly memory such as the optimizers use, all tensors side by side in one piece.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

import { Arena } from "../../memory/arena.ts";
import { packageRoot } from "../package.ts";
import {
  hyperparameters,
  type BenchedOptimizer,
  type Contender,
  type PeerVersion,
  type Workload,
} from "./contender.ts";
import { gradients, startValues, timed } from "./values.ts";

interface Library {
  readonly step: (...args: unknown[]) => void;
  readonly startHelper: () => void;
  readonly stopHelper: () => void;
}

const FLAGS = ["-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC", "-pthread"];
const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

/** The rows, or none and why. */
export async function findNative(): Promise<{ rows: Contender[]; version: PeerVersion }> {
  const compiler = spawnSync("cc", ["--version"], { encoding: "utf8" });
  if (compiler.status !== 0) return missing("no C compiler (cc)");
  let koffi: typeof import("koffi").default;
  try {
    koffi = (await import("koffi")).default;
  } catch {
    return missing("the npm package koffi is not installed");
  }
  const folder = mkdtempSync(join(tmpdir(), "downhill-native-"));
  try {
    const file = join(folder, "limits.so");
    const source = join(packageRoot(), "native", "limits.c");
    const made = spawnSync("cc", [...FLAGS, "-o", file, source], { encoding: "utf8" });
    if (made.status !== 0) return missing(`cc failed: ${made.stderr.split("\n")[0]}`);
    const loaded = koffi.load(file);
    const library = {
      step: loaded.func("void step(int, void *, void *, void *, void *, void *, double, int)"),
      startHelper: loaded.func("void start_helper()"),
      stopHelper: loaded.func("void stop_helper()"),
    };
    const version = `${compiler.stdout.split("\n")[0]}, ${FLAGS.slice(0, 3).join(" ")}`;
    // The helper spins, which needs a core of its own.
    const rows =
      availableParallelism() > 1 ? [row(library, 1), row(library, 2)] : [row(library, 1)];
    return {
      rows,
      version: { name: "C", version, found: true },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function missing(reason: string): { rows: Contender[]; version: PeerVersion } {
  return { rows: [], version: { name: "C", version: reason, found: false } };
}

function row(library: Library, threads: 1 | 2): Contender {
  return {
    key: threads === 1 ? "native-1" : "native",
    label: `C, ${threads} thread${threads > 1 ? "s" : ""}`,
    family: "native",
    threads,
    prepare: (optimizer, workload) => {
      const [p, g, m, v] = regions(workload);
      const numbers = new Float32Array(7);
      const rule = ["sgd", "momentum", "rmsprop", "adam", "adamw"].indexOf(optimizer);
      let t = 0;
      const step = (): void => {
        numbers.set(numbersOf(optimizer, ++t));
        library.step(rule, p, g, m, v, numbers, p.length, threads);
      };
      return Promise.resolve({
        run: (steps) => {
          // The helper spins, so it lives only while it is measured.
          if (threads > 1) library.startHelper();
          const times = timed(step, steps);
          if (threads > 1) library.stopHelper();
          return Promise.resolve(times);
        },
        close: () => Promise.resolve(),
        values: () => apart(p, workload),
      });
    },
  };
}

function regions(workload: Workload): [Float32Array, Float32Array, Float32Array, Float32Array] {
  const { parameters } = workload;
  const arena = new Arena("float32", 16 * parameters);
  const region = () => arena.view(arena.allocate(4 * parameters), parameters) as Float32Array;
  const all: [Float32Array, Float32Array, Float32Array, Float32Array] = [
    region(),
    region(),
    region(),
    region(),
  ];
  [startValues(workload), gradients(workload)].forEach((tensors, slot) => {
    let at = 0;
    for (const tensor of tensors) {
      all[slot]!.set(tensor, at);
      at += tensor.length;
    }
  });
  return all;
}

function apart(p: Float32Array, { sizes }: Workload): Float32Array[] {
  let at = 0;
  return sizes.map((size) => p.subarray(at, (at += size)));
}

/** The numbers of one step, in the order that limits.c reads them. */
function numbersOf(optimizer: BenchedOptimizer, t: number): number[] {
  if (optimizer === "sgd") return [sgd.lr];
  if (optimizer === "momentum") return [momentum.lr, momentum.momentum];
  if (optimizer === "rmsprop") return [rmsprop.lr, rmsprop.alpha, 1 - rmsprop.alpha, rmsprop.eps];
  const { lr, beta1, beta2, eps } = adam;
  const decay = optimizer === "adamw" ? adamw.weightDecay : 0;
  const root = 1 / Math.sqrt(1 - beta2 ** t);
  return [lr / (1 - beta1 ** t), 1 - beta1, beta2, 1 - beta2, root, eps, 1 - lr * decay];
}
