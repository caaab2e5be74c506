/**
 * The WebAssembly backend: compiles each distinct kernel once and runs it on an arena's memory.
 *
 * Compiling is synchronous, because a step is: a kernel is below a kilobyte and takes some tens of
 * microseconds.
 */
import { accessesOf, kernelKey, type KernelIr } from "../../ir/plan.ts";
import type { Arena } from "../../memory/arena.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import { REDUCTION_BLOCK, type Backend, type BoundKernel, type Kernel } from "../backend.ts";
import type { Job } from "../threads/board.ts";
import { QUIET_BYTES, sharedPool, type Pool } from "../threads/pool.ts";
import type { Run } from "../threads/worker.ts";
import { assemble } from "./assemble.ts";
import { Code, type Instance } from "./code.ts";
import type { WasmFunction } from "./instructions.ts";
import { JobBlock } from "./job-block.ts";
import { lower } from "./lower.ts";

const empty: WasmFunction = { address: "i32", params: [], locals: [], body: [] };

/** A module that has a vector: an engine without SIMD finds it invalid. */
function simdProbe(): Uint8Array<ArrayBuffer> {
  return assemble({ ...empty, locals: [{ name: "v", type: "v128" }] }, false);
}

/** Whether kernels can be compiled here: WebAssembly may be absent or forbidden by a policy. */
export function wasmAllowed(): boolean {
  try {
    const module = new WebAssembly.Module(assemble(empty, false));
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
  private readonly codes = new Map<string, Code>();
  /** @internal */ readonly pool: Pool;

  /** @param simd vectors or not; by default what the engine has. */
  constructor(simd: boolean = WebAssembly.validate(simdProbe()), pool: Pool = sharedPool()) {
    this.simd = simd;
    this.pool = pool;
  }

  threadsFor(bytes: number, wanted: number, user: object): number {
    return this.pool.threadsFor(bytes, wanted, user);
  }

  release(user: object): void {
    this.pool.release(user);
  }

  /** Number of distinct functions made so far. */
  get compiled(): number {
    return this.kernels.size + this.codes.size;
  }

  compile(ir: KernelIr, dtype: DType): Kernel {
    const key = `${dtype}\n${kernelKey(ir)}`;
    let kernel = this.kernels.get(key);
    if (!kernel) this.kernels.set(key, (kernel = new WasmKernel(ir, dtype, this)));
    return kernel;
  }

  /** The code of a function of another kind, made once for each key. */
  code(key: string, write: (simd: boolean, wide: boolean) => WasmFunction): Code {
    let code = this.codes.get(key);
    if (!code) this.codes.set(key, (code = new Code((wide) => write(this.simd, wide))));
    return code;
  }
}

class WasmKernel implements Kernel {
  private readonly ir: KernelIr;
  private readonly pool: Pool;
  private readonly code: Code;

  constructor(ir: KernelIr, dtype: DType, { simd, pool }: WasmBackend) {
    this.ir = ir;
    this.pool = pool;
    this.code = new Code((wide) => lower(ir, dtype, simd, wide));
  }

  bind(arena: Arena, allocate: (bytes: number) => number, largest: number): BoundKernel {
    const blocks = Math.ceil(largest / REDUCTION_BLOCK);
    return new WasmBoundKernel(this.ir, this.code.on(arena), arena, allocate, blocks, this.pool);
  }
}

class WasmBoundKernel extends JobBlock implements BoundKernel {
  private readonly pool: Pool;
  private readonly code: Run;
  private readonly bytesPerElement: number;
  /** For several threads; `null` where they cannot reach the memory. */
  private readonly job: Job | null;
  private readonly blocks: number;
  private readonly range: [number, number] = [0, 0];

  /** @param blocks into how many blocks a reduction may fall. */
  constructor(
    ir: KernelIr,
    { module, run }: Instance,
    arena: Arena,
    allocate: (bytes: number) => number,
    blocks: number,
    pool: Pool,
  ) {
    const reduces = ir.reductions.length > 0;
    super(ir, arena, allocate, reduces ? blocks : 0);
    this.code = run;
    this.pool = pool;
    this.bytesPerElement = accessesOf(ir) * bytesOf(arena.dtype);
    this.job = arena.shared
      ? {
          kernel: { module, memory: arena.memory as WebAssembly.Memory },
          run,
          block: this.at,
          stride: this.stride,
          chunk: reduces ? REDUCTION_BLOCK : 0,
          bytesPerElement: this.bytesPerElement,
        }
      : null;
    this.blocks = reduces ? blocks : 0;
  }

  run(ranges: ArrayLike<number>, count: number, threads: number): void {
    if (threads > 1 && this.isLarge(ranges, count)) {
      if (this.pool.share(this.job!, ranges, count, threads)) return;
    }
    for (let r = 0; r < count; r++) this.code(this.at, ranges[2 * r]!, ranges[2 * r + 1]!);
  }

  reduce(begin: number, end: number, totals: Float64Array, threads: number): void {
    const count = Math.ceil((end - begin) / REDUCTION_BLOCK);
    this.range[0] = begin;
    this.range[1] = end;
    totals.fill(0);
    const mayShare = threads > 1 && count <= this.blocks && this.isLarge(this.range, 1);
    if (mayShare && this.reduceTogether(count, totals, threads)) return;
    for (let from = begin; from < end; from += REDUCTION_BLOCK) {
      this.code(this.at, from, Math.min(end, from + REDUCTION_BLOCK));
      this.take(totals);
    }
  }

  reducePiece(begin: number, end: number): void {
    this.code(this.at, begin, end);
  }

  finishBlock(totals: Float64Array): void {
    this.take(totals);
    this.clearLanes();
  }

  /** A job block for each block of elements, so that each keeps its lanes until all are there. */
  private reduceTogether(count: number, totals: Float64Array, threads: number): boolean {
    this.copyBlock(count);
    if (!this.pool.share(this.job!, this.range, 1, threads)) return false;
    this.takeAll(count, totals);
    return true;
  }

  /** Whether there is enough to do for more than one thread. */
  private isLarge(ranges: ArrayLike<number>, count: number): boolean {
    if (!this.job) return false;
    const enough = QUIET_BYTES / this.bytesPerElement;
    let elements = 0;
    for (let r = 0; r < count && elements < enough; r++) {
      elements += ranges[2 * r + 1]! - ranges[2 * r]!;
    }
    return elements >= enough;
  }
}
