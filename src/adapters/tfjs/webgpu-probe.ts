/**
 * Tries whether tfjs's memory on the GPU can be written from outside, on the version that is installed: one
 * variable that shares its buffer, one operation that has not been submitted, one write, one operation.
 *
 * What the objects say is seen at once; what the GPU computed comes a little later, as nothing can be read
 * back synchronously everywhere.
 */
import { readParts } from "../../memory/webgpu/read.ts";
import type { Tf } from "./tf.ts";
import { warnOfCopies } from "./warn.ts";
import type { WebgpuMemory } from "./webgpu-memory.ts";

/** How the trial has gone so far. */
export interface Probe {
  /** In a clause, what was not as it has to be. */
  failure: string | null;
  /** When all is known. */
  readonly done: Promise<void>;
}

/** What a variable holds, and what is written into it. */
const START = [1, 2, 3, 4];
const WRITTEN = [5, 6, 7, 8];
const squares = (values: readonly number[]): number[] => values.map((x) => x * x);
const expected = {
  "an initial value": START,
  "what had not been submitted": squares(START),
  "what came afterwards": squares(WRITTEN),
};

/** The trial for this memory, which is made once; a failure is warned of. */
export function probe(tf: Tf, memory: WebgpuMemory): Probe {
  let made = probes.get(memory);
  if (!made) probes.set(memory, (made = makeProbe(tf, memory)));
  return made;
}

const probes = new WeakMap<WebgpuMemory, Probe>();

function makeProbe(tf: Tf, memory: WebgpuMemory): Probe {
  const made: { failure: string | null; done: Promise<void> } = {
    failure: null,
    done: Promise.resolve(),
  };
  const fail = (what: string): void => {
    made.failure = what;
    warnOfCopies(what);
  };
  try {
    const copies = tryWriting(tf, memory);
    made.done = copies.then((read) => {
      const wrong = wrongIn(read);
      if (wrong) fail(`${wrong}, and variables may be wrong since the first step`);
    }, ignore);
  } catch (error) {
    fail(`a step on trial failed (${String(error)})`);
  }
  return made;
}

/** A lost device is told of elsewhere. */
function ignore(): void {}

/** @returns what the GPU will have of the tensors that are expected. @throws for what is wrong at once. */
function tryWriting(tf: Tf, memory: WebgpuMemory): Promise<ArrayBuffer[]> {
  let copies: Promise<ArrayBuffer[]>;
  tf.engine().tidy(() => {
    copies = submit(tf, memory);
  });
  return copies!;
}

function wrongIn(read: readonly ArrayBuffer[]): string | undefined {
  const [wrong] = Object.entries(expected).find(([, values], i) => {
    const found = new Float32Array(read[i]!);
    return values.some((x, k) => x !== found[k]);
  }) ?? [undefined];
  return wrong && `${wrong} was not what it should be in a trial`;
}

function submit(tf: Tf, memory: WebgpuMemory): Promise<ArrayBuffer[]> {
  const engine = tf.engine();
  const square = (a: object) => engine.runKernel("Multiply", { a, b: a } as never) as typeof start;
  const start = tf.tensor(START);
  memory.lend(start); // so that the operation happens on the GPU
  const variable = engine.makeVariable(start, false);
  try {
    const before = square(variable);
    const buffer = memory.own(variable);
    if (variable.dataId === start.dataId) throw new Error("a variable shares its buffer");
    memory.flush();
    memory.device.queue.writeBuffer(buffer, 0, new Float32Array(WRITTEN));
    memory.wrote(variable);
    const parts = [start, before, square(variable)].map((tensor) => ({
      buffer: memory.lend(tensor),
      offset: 0,
      size: Float32Array.BYTES_PER_ELEMENT * START.length,
    }));
    memory.flush();
    return readParts(memory.device, "downhill/tfjs", parts); // submitted by now
  } finally {
    variable.dispose();
  }
}
