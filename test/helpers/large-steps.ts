/** Steps that are worth sharing, taken alike in Node and, bundled, in a browser's page. */
import { sharedPool } from "../../src/backend/threads/pool.ts";
import { Adam, parameter } from "../../src/index.ts";
import { untilReady } from "./threads.ts";

export interface LargeSteps {
  /** A digest of the parameters' bits. */
  readonly digest: number;
  readonly backend: string;
  /** Jobs that workers were called to. */
  readonly jobs: number;
  readonly workers: number;
  /** Elements that this thread's kernels went over. */
  readonly mine: number;
}

export const SIZES = [200_003, 7, 131_072, 65_537];
export const STEPS = 12;
let dispose = (): void => {};

/** @param workers ready from the second step on; 0 where there can be none. */
export async function takeLargeSteps(threads: number, workers: number): Promise<LargeSteps> {
  const counted = countElements();
  const params = SIZES.map((size) => parameter(wave(size, 0.1)));
  const optimizer = new Adam(params, { threads });
  for (let step = 1; step <= STEPS; step++) {
    for (const p of params) p.grad = wave(p.size, 0.7 * step);
    optimizer.step();
    await new Promise((resolve) => setTimeout(resolve, 5)); // a page hears of its workers then
    await untilReady(sharedPool(), workers);
  }
  dispose = () => optimizer.dispose();
  counted.stop();
  return {
    digest: digestOf(params.map(({ data }) => data as Float32Array)),
    backend: optimizer.backend,
    jobs: sharedPool().jobs,
    workers: sharedPool().size,
    mine: counted.elements(),
  };
}

/** Gives up the optimizer; how many workers there are then. */
export function disposeLargeSteps(): number {
  dispose();
  return sharedPool().size;
}

/** Numbers from -1 to 1 that come out alike in every engine: no sine, only products. */
export function wave(size: number, phase: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => ((i * 0.37 + phase) % 2) - 1);
}

export function digestOf(tensors: readonly Float32Array[]): number {
  let digest = 0x811c9dc5;
  for (const tensor of tensors) {
    for (const byte of new Uint8Array(tensor.slice().buffer)) {
      digest = Math.imul(digest ^ byte, 0x01000193);
    }
  }
  return digest >>> 0;
}

/** Counts what kernels that are instantiated from now on go over on this thread. */
function countElements(): { elements(): number; stop(): void } {
  const { Instance } = WebAssembly;
  let elements = 0;
  const counting = function (module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    const { exports } = new Instance(module, imports);
    const run = exports["run"] as (block: number, begin: number, end: number) => void;
    return {
      exports: {
        ...exports,
        run: (block: number, begin: number, end: number) => {
          elements += end - begin;
          run(block, begin, end);
        },
      },
    };
  };
  WebAssembly.Instance = counting as unknown as typeof Instance;
  return { elements: () => elements, stop: () => void (WebAssembly.Instance = Instance) };
}
