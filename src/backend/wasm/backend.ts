/**
 * The WebAssembly backend: compiles each distinct kernel once and runs it on an arena's memory.
 *
 * Compiling is synchronous, because a step is: a kernel is below a kilobyte and takes some tens of
 * microseconds.
 */
import { BackendError, Prose } from "../../errors.ts";
import { kernelKey, type KernelIr } from "../../ir/plan.ts";
import type { Arena } from "../../memory/arena.ts";
import type { DType } from "../../memory/dtype.ts";
import { LANES, type Backend, type BoundKernel, type Kernel } from "../backend.ts";
import { assemble } from "./assemble.ts";
import { jobLayout, lower, type JobLayout } from "./lower.ts";

type Run = (job: number, begin: number, end: number) => void;

/** A module that loads one vector: an engine without SIMD finds it invalid. */
function simdProbe(): Uint8Array<ArrayBuffer> {
  return assemble({ params: [], locals: [{ name: "v", type: "v128" }], body: [] }, false);
}

/** Whether kernels can be compiled here: WebAssembly may be absent or forbidden by a policy. */
export function wasmAllowed(): boolean {
  try {
    const module = new WebAssembly.Module(assemble({ params: [], locals: [], body: [] }, false));
    return module instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}

export class WasmBackend implements Backend {
  readonly name = "wasm";
  /** Whether kernels use 128-bit vectors. */
  readonly simd: boolean;
  private readonly kernels = new Map<string, WasmKernel>();

  /** @param simd vectors or not; by default what the engine has. */
  constructor(simd: boolean = WebAssembly.validate(simdProbe())) {
    this.simd = simd;
  }

  /** Number of distinct kernels compiled so far. */
  get compiled(): number {
    return this.kernels.size;
  }

  compile(ir: KernelIr, dtype: DType): Kernel {
    const key = `${dtype}\n${kernelKey(ir)}`;
    let kernel = this.kernels.get(key);
    if (!kernel) this.kernels.set(key, (kernel = new WasmKernel(ir, dtype, this.simd)));
    return kernel;
  }
}

class WasmKernel implements Kernel {
  private readonly ir: KernelIr;
  private readonly dtype: DType;
  private readonly simd: boolean;
  /** By kind of memory: shared or not. */
  private readonly modules = new Map<boolean, WebAssembly.Module>();
  private readonly instances = new WeakMap<Arena, Run>();

  constructor(ir: KernelIr, dtype: DType, simd: boolean) {
    this.ir = ir;
    this.dtype = dtype;
    this.simd = simd;
  }

  bind(arena: Arena, allocate: (bytes: number) => number): BoundKernel {
    const layout = jobLayout(this.ir, this.dtype);
    const run = this.instances.get(arena) ?? this.instantiate(arena);
    return new WasmBoundKernel(
      run,
      arena,
      allocate(layout.bytes),
      layout,
      this.ir.reductions.length,
    );
  }

  private instantiate(arena: Arena): Run {
    const { memory } = arena;
    if (!(memory instanceof WebAssembly.Memory)) {
      throw new BackendError("NO_WASM_MEMORY", {
        subject: "backend wasm",
        got: new Prose("a memory that is not WebAssembly's"),
        expected: "an arena made where WebAssembly is",
      });
    }
    let module = this.modules.get(arena.shared);
    if (!module) {
      module = new WebAssembly.Module(
        assemble(lower(this.ir, this.dtype, this.simd), arena.shared),
      );
      this.modules.set(arena.shared, module);
    }
    const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    this.instances.set(arena, run as Run);
    return run as Run;
  }
}

class WasmBoundKernel implements BoundKernel {
  private readonly code: Run;
  private readonly arena: Arena;
  private readonly layout: JobLayout;
  private readonly job: number;
  private readonly reductions: number;
  private pointers!: Uint32Array;
  private uniforms!: Float32Array | Float64Array;
  private partials!: Float64Array;

  constructor(code: Run, arena: Arena, job: number, layout: JobLayout, reductions: number) {
    this.code = code;
    this.arena = arena;
    this.layout = layout;
    this.reductions = reductions;
    this.job = job;
    this.look();
  }

  setPointer(index: number, byteOffset: number): void {
    if (this.pointers.length === 0) this.look();
    this.pointers[index] = byteOffset;
  }

  setUniform(index: number, value: number): void {
    if (this.pointers.length === 0) this.look();
    this.uniforms[index] = value;
  }

  run(begin: number, end: number): void {
    this.code(this.job, begin, end);
  }

  lanes(): Float64Array {
    if (this.pointers.length === 0) this.look();
    return this.partials;
  }

  /** Views the job block; an unshared memory detaches views when it grows. */
  private look(): void {
    const { buffer, dtype } = this.arena;
    const { uniforms, lanes } = this.layout;
    const at = this.job + uniforms;
    const count = (lanes - uniforms) / (dtype === "float32" ? 4 : 8);
    this.pointers = new Uint32Array(buffer, this.job, uniforms / 4);
    this.uniforms =
      dtype === "float32"
        ? new Float32Array(buffer, at, count)
        : new Float64Array(buffer, at, count);
    this.partials = new Float64Array(buffer, this.job + lanes, this.reductions * LANES);
  }
}
