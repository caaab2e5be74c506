/** How a worker thread starts, in Node and in browsers, from text alone. */
import { workerText, type Letter } from "./worker.ts";

/** A worker thread as the pool sees it. */
export interface Thread {
  post(letter: Letter): void;
  /** Ends it, also in the middle of something. */
  end(): void;
}

/** Starts a thread; `onEnd` is called when it has ended, for whatever reason. */
export type Spawn = (onEnd: () => void) => Thread;

type WorkerThreads = typeof import("node:worker_threads");

interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
  readonly versions?: { readonly node?: string };
}

function nodeModule<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: NodeProcess };
  if (!process?.versions?.node) return undefined;
  return process.getBuiltinModule?.(name) as T | undefined;
}

/** The way to start threads here, or `null` where there is none. */
export function spawnHere(): Spawn | null {
  const threads = nodeModule<WorkerThreads>("node:worker_threads");
  if (threads) return (onEnd) => spawnInNode(threads, onEnd);
  if (typeof Worker === "undefined" || typeof Blob === "undefined") return null;
  return spawnInBrowser;
}

/** Ready-made text for Node; exported so that tests can wrap it. */
export const nodeText = (): string =>
  workerText('require("node:worker_threads").parentPort', '(f) => process.once("exit", f)');

export function spawnInNode(
  { Worker }: WorkerThreads,
  onEnd: () => void,
  text: string = nodeText(),
): Thread {
  // Without execArgv a worker would load whatever the process was started with.
  const worker = new Worker(text, { eval: true, execArgv: [], name: "downhill" });
  worker.on("error", () => {}); // an exit follows, and tells
  worker.once("exit", onEnd);
  worker.unref();
  return {
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    post: (letter) => worker.postMessage(letter),
    end: () => void worker.terminate(),
  };
}

let browserUrl: string | undefined;

function spawnInBrowser(onEnd: () => void): Thread {
  browserUrl ??= URL.createObjectURL(
    new Blob([workerText("self", "() => {}")], { type: "text/javascript" }),
  );
  const worker = new Worker(browserUrl, { name: "downhill" });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    worker.terminate();
    onEnd();
  });
  return {
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    post: (letter) => worker.postMessage(letter),
    end: () => {
      worker.terminate();
      onEnd();
    },
  };
}

/** Threads that the machine runs at once. */
export function machineThreads(): number {
  const os = nodeModule<typeof import("node:os")>("node:os");
  if (os) return os.availableParallelism();
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}
