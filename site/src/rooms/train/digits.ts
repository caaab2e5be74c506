/** Fetches the MNIST digits that lie beside the page, and makes sure that they are the canonical ones. */
import { sha256 } from "../../../../src/checkpoint/sha256.ts";
import {
  digestProblem,
  digitsFrom,
  mnistFiles,
  packedName,
  shapeProblem,
  sizeOf,
  type Digits,
  type IdxFile,
} from "../../../../src/training/mnist.ts";

export type DigitsFault = "missing" | "unreachable" | "damaged";

/** The digits cannot be had; the message says why, as a sentence. */
export class DigitsError extends Error {
  readonly fault: DigitsFault;

  constructor(fault: DigitsFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

const files: readonly IdxFile[] = Object.values(mnistFiles);

/**
 * @param base the address of the page.
 * @param onProgress is told the share that is here, from 0 to 1.
 * @throws {DigitsError}, and what `signal` aborts with.
 */
export async function loadDigits(
  base: string,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Digits> {
  const total = files.reduce((sum, file) => sum + sizeOf(file), 0);
  let here = 0;
  const loaded = new Map<IdxFile, Uint8Array>();
  for (const file of files) {
    const bytes = await loadFile(base, file, signal, (count) => {
      here += count;
      onProgress(here / total);
    });
    loaded.set(file, bytes);
  }
  return digitsFrom((file) => loaded.get(file)!);
}

async function loadFile(
  base: string,
  file: IdxFile,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<Uint8Array> {
  const url = new URL(packedName(file), base);
  const unreachable = (error: unknown): never => {
    signal.throwIfAborted();
    throw new DigitsError("unreachable", `${url.pathname} did not come: ${messageOf(error)}.`);
  };
  const response = await fetch(url, { signal }).catch(unreachable);
  if (response.status === 404) {
    throw new DigitsError("missing", `There is no ${url.pathname} on this host.`);
  }
  if (!response.ok || !response.body) unreachable(`the host answered ${response.status}`);
  const damaged = (problem: string): never => {
    throw new DigitsError("damaged", `${url.pathname} is not the canonical file: ${problem}.`);
  };
  const bytes = new Uint8Array(sizeOf(file));
  let length = 0;
  let isCut = false;
  try {
    const source = watched(response.body!, () => (isCut = true));
    for await (const part of await unpacked(source)) {
      if (length + part.length <= bytes.length) bytes.set(part, length);
      length += part.length;
      onBytes(part.length);
    }
  } catch (error) {
    if (signal.aborted || isCut) unreachable(error);
    damaged(`it cannot be unpacked (${messageOf(error)})`);
  }
  if (length !== bytes.length) damaged(`it has ${length} bytes instead of ${bytes.length}`);
  const problem = shapeProblem(bytes, file) ?? digestProblem(await sha256(bytes), file);
  if (problem !== null) damaged(problem);
  return bytes;
}

/** The same stream, of which one learns whether it was its source that broke. */
async function* watched(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onCut: () => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    onCut();
    throw error;
  } finally {
    reader.releaseLock();
  }
}

type Parts = AsyncGenerator<Uint8Array<ArrayBuffer>>;

/** What is in a gzip file; some hosts unpack it on the way, and then it is none. */
async function unpacked(parts: Parts): Promise<AsyncIterable<Uint8Array<ArrayBuffer>>> {
  const first = await parts.next();
  if (first.done) return parts;
  const [a, b] = first.value;
  const whole = streamOf(first.value, parts);
  if (a !== 0x1f || b !== 0x8b) return readParts(whole);
  return readParts(whole.pipeThrough(new DecompressionStream("gzip")));
}

function streamOf(
  first: Uint8Array<ArrayBuffer>,
  rest: Parts,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(first),
    async pull(controller) {
      const { done, value } = await rest.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

/** Not every browser lets one iterate over a stream. */
function readParts(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Parts {
  return watched(stream, () => {});
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
