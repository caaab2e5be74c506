/** The badge that says what Downhill runs on in this browser, and what is missing for more. */
import { signal } from "@preact/signals";
import { defaultThreads } from "../../../src/backend/threads/pool.ts";
import { wasmAllowed } from "../../../src/backend/wasm/backend.ts";

interface Ground {
  readonly wasm: boolean;
  /** Whether the page has shared memory. */
  readonly isolated: boolean;
  readonly threads: number;
  /** `null` until it is known. */
  readonly webgpu: boolean | null;
}

const isolated = crossOriginIsolated;
const ground = signal<Ground>({
  wasm: wasmAllowed(),
  isolated,
  threads: isolated ? defaultThreads() : 1,
  webgpu: navigator.gpu ? null : false,
});

/** Asks for a GPU once the page is at rest: browsers may start a process for it. */
export function findGpu(): void {
  if (ground.value.webgpu !== null) return;
  const ask = async (): Promise<void> => {
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    ground.value = { ...ground.value, webgpu: adapter !== null };
  };
  setTimeout(() => void ask(), 1500);
}

/** In a few words, e.g. `WebAssembly, 4 threads`. */
export function inShort({ wasm, threads }: Pick<Ground, "wasm" | "threads">): string {
  if (!wasm) return "Interpreter";
  return threads > 1 ? `WebAssembly, ${threads} threads` : "WebAssembly, one thread";
}

export function RunsOn() {
  const { wasm, isolated: shared, webgpu } = ground.value;
  const gpu = webgpu === null ? "not known yet" : webgpu ? "here" : "not in this browser";
  return (
    <details class="runs-on">
      <summary>
        <span class="runs-on-label">Runs on</span> {inShort(ground.value)}
        {webgpu && ", WebGPU"}
      </summary>
      <dl>
        <dt>Steps run on</dt>
        <dd>
          {wasm
            ? "WebAssembly, compiled from each optimizer's equations."
            : "the interpreter: a policy of this page's host forbids WebAssembly. The numbers are the same."}
        </dd>
        <dt>Cross-origin isolated</dt>
        <dd>
          {shared
            ? "yes: memory can be shared, so large steps use several threads."
            : "no: without shared memory there is one thread. “downhill lab” sends the headers for it."}
        </dd>
        <dt>WebGPU</dt>
        <dd>{gpu}.</dd>
      </dl>
    </details>
  );
}
