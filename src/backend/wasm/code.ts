/** The code of one function: a module for each kind of memory, an instance for each arena. */
import { BackendError, Prose } from "../../errors.ts";
import type { Arena } from "../../memory/arena.ts";
import type { Run } from "../threads/worker.ts";
import { assemble } from "./assemble.ts";
import type { WasmFunction } from "./instructions.ts";

/** A function's code on one arena. */
export interface Instance {
  readonly module: WebAssembly.Module;
  readonly run: Run;
}

export class Code {
  private readonly write: (wide: boolean) => WasmFunction;
  /** By kind of memory: shared or not, wide or not. */
  private readonly modules = new Map<string, WebAssembly.Module>();
  private readonly instances = new WeakMap<Arena, Instance>();

  /** @param write gives the function, for a memory whose addresses have 64 bits or 32. */
  constructor(write: (wide: boolean) => WasmFunction) {
    this.write = write;
  }

  /** @throws {BackendError} `NO_WASM_MEMORY`. */
  on(arena: Arena): Instance {
    return this.instances.get(arena) ?? this.instantiate(arena);
  }

  private instantiate(arena: Arena): Instance {
    const { memory, shared, wide } = arena;
    if (!(memory instanceof WebAssembly.Memory)) {
      throw new BackendError("NO_WASM_MEMORY", {
        subject: "backend wasm",
        got: new Prose("a memory that is not WebAssembly's"),
        expected: "an arena made where WebAssembly is",
      });
    }
    const kind = `${shared} ${wide}`;
    let module = this.modules.get(kind);
    if (!module) {
      module = new WebAssembly.Module(assemble(this.write(wide), shared));
      this.modules.set(kind, module);
    }
    const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    const instance = { module, run: run as Run };
    this.instances.set(arena, instance);
    return instance;
  }
}
