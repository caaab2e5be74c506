/**
 * What the path in place uses of tfjs's WASM backend: its memory, where tensors lie in it, and what makes it
 * forget the copies of weights that it keeps. Most of it is not documented, so all of it is looked for first.
 */
import type { DataId, Tensor } from "@tensorflow/tfjs-core";
import type { Heap } from "../../memory/foreign.ts";

/** What the backend knows of a tensor's values. */
export interface TensorData {
  /** By which the code in WebAssembly knows it. */
  readonly id: number;
  /** Its address, a number of 32 bits with or without a sign. */
  readonly memoryOffset: number;
  /** Tensors and variables that share the values. */
  readonly refCount: number;
}

/** The backend, as far as it is used. */
interface BackendLike {
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    readonly _malloc: (bytes: number) => number;
    readonly _free: (address: number) => void;
    readonly _register_tensor: (id: number, size: number, memoryOffset: number) => void;
    readonly _dispose_data: (id: number) => void;
    /** The build with threads has the first, the others have the second. */
    readonly wasmMemory?: WebAssembly.Memory;
    readonly asm?: { readonly memory?: WebAssembly.Memory };
  };
  readonly dataIdMap: { get(id: DataId): TensorData | undefined };
}

const functions = ["_malloc", "_free", "_register_tensor", "_dispose_data"] as const;

export class WasmBackendOfTf {
  readonly heap: Heap;
  private readonly backend: BackendLike;

  private constructor(backend: BackendLike, memory: WebAssembly.Memory) {
    const { _malloc, _free } = backend.wasm;
    this.backend = backend;
    this.heap = { memory, allocate: (bytes) => _malloc(bytes), free: (at) => _free(at) };
  }

  /** @returns a clause that says what is missing, if anything is. */
  static of(backend: object): WasmBackendOfTf | string {
    const { wasm, dataIdMap } = backend as Partial<BackendLike>;
    const missing = (what: string) => `tfjs's WASM backend has no ${what}, as 4.22 has`;
    if (typeof dataIdMap?.get !== "function") return missing("dataIdMap");
    for (const name of functions) {
      if (typeof wasm?.[name] !== "function") return missing(`wasm.${name}`);
    }
    const memory = wasm!.wasmMemory ?? wasm!.asm?.memory;
    if (!(memory instanceof WebAssembly.Memory))
      return missing("wasm.wasmMemory or wasm.asm.memory");
    if (memory.buffer !== wasm!.HEAPU8?.buffer) return missing("wasm.HEAPU8 over that memory");
    return new WasmBackendOfTf(backend as BackendLike, memory);
  }

  /** Where a tensor lies; it comes here first if it is on another backend, as for tfjs's own kernels. */
  locate({ dataId }: Tensor): TensorData {
    return this.backend.dataIdMap.get(dataId)!;
  }

  /** A tensor's values, for a look at them. */
  view(tensor: Tensor): Float32Array {
    const address = this.locate(tensor).memoryOffset >>> 0;
    return new Float32Array(this.heap.memory.buffer, address, tensor.size);
  }

  /**
   * Makes the backend forget what it derived from a tensor's values, which are about to change: XNNPACK keeps
   * copies of weights in an order of its own, and multiplies by these as long as the tensor lives.
   */
  forget({ id, memoryOffset }: TensorData, size: number): void {
    // Looked up each time: once they have been called, faster ones are in their place.
    const { _dispose_data: dispose, _register_tensor: register } = this.backend.wasm;
    dispose(id);
    register(id, size, memoryOffset);
  }
}
