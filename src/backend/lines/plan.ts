/**
 * A plan whose kernels run along lines, tied to an arena: it runs over one parameter at a time, whose
 * shape says how long its lines are and where its parts of the state lie.
 */
import { isNarrow } from "../../ir/bfloat16.ts";
import { kernelKey, type KernelIr, type Plan } from "../../ir/plan.ts";
import type { Domain } from "../../ir/rank.ts";
import { bytesOf } from "../../memory/dtype.ts";
import type { MatrixPlace } from "../../memory/matrix-place.ts";
import { HostScalars } from "../host-scalars.ts";
import { WasmBackend } from "../wasm/backend.ts";
import { columnSumsOf } from "../wasm/layout.ts";
import type { BoundLines, LineRoom } from "./engine.ts";
import { gridsOf, type Grid } from "./grid.ts";
import { InterpLineKernel } from "./interp.ts";
import type { BoundLineKernel } from "./kernel.ts";
import { lowerLines } from "./lower.ts";
import { WasmLineKernel } from "./wasm.ts";

export class LinePlan implements BoundLines {
  private readonly plan: Plan;
  private readonly bytes: number;
  private readonly grids: ReadonlyMap<MatrixPlace, Readonly<Record<Domain, Grid>>>;
  private readonly kernels: readonly BoundLineKernel[];
  /** Byte offsets. */
  private readonly temporaries: readonly number[];
  private readonly host: HostScalars;
  /** Results of each kernel's reductions to one number. */
  private readonly totals: readonly Float64Array[];
  private regions: ArrayLike<number> = [];

  /** @throws {BackendError} if memory runs out; nothing has run then. */
  constructor(plan: Plan, room: LineRoom) {
    const { arena, places } = room;
    this.plan = plan;
    this.bytes = bytesOf(arena.dtype);
    this.grids = new Map(places.map((place) => [place, gridsOf(place)]));
    this.temporaries = temporariesOf(plan, room);
    const elements = columnSumBytes(places) / this.bytes;
    const sums = room.temporaries(mostColumnSums(plan), elements, "sums");
    const all = [...this.grids.values()];
    this.kernels = plan.stages.map(({ kernel, domain }) => {
      const grids = all.map((each) => each[domain]);
      return bindKernel(kernel, room, grids, sums);
    });
    this.host = new HostScalars(plan, this.kernels);
    this.totals = plan.stages.map(({ reductions }) => new Float64Array(reductions.length));
  }

  place(slots: ArrayLike<number>): void {
    this.regions = slots;
  }

  load(uniforms: Float64Array, version: number): void {
    this.host.load(uniforms, version);
  }

  run(place: MatrixPlace, threads: number): void {
    if (place.sizes.tensor === 0) return;
    const { stages } = this.plan;
    for (let s = 0; s < stages.length; s++) this.runStage(s, place, threads);
  }

  private runStage(index: number, place: MatrixPlace, threads: number): void {
    const { pointers, domain } = this.plan.stages[index]!;
    const kernel = this.kernels[index]!;
    this.host.prepare(index, place.sizes.tensor, place.rows, place.columns);
    const { program } = this.plan;
    const ranks = program.slotRanks;
    for (let i = 0; i < pointers.length; i++) {
      const target = pointers[i]!;
      kernel.setPointer(
        i,
        target < 0
          ? this.temporaries[~target]!
          : this.regions[target]! +
              place.offsets[ranks[target]!] * (isNarrow(program, target) ? 2 : this.bytes),
      );
    }
    const totals = this.totals[index]!;
    kernel.run(this.grids.get(place)![domain], totals, threads);
    this.host.take(index, totals);
  }
}

/**
 * Generated code for the WebAssembly backend, and for all others none.
 *
 * @param grids that it will run over.
 * @param sums byte offsets of room for float64 sums of columns, by block: one for each such sum.
 */
function bindKernel(
  kernel: KernelIr,
  { backend, arena, allocate }: LineRoom,
  grids: readonly Grid[],
  sums: readonly number[],
): BoundLineKernel {
  const { dtype } = arena;
  if (!(backend instanceof WasmBackend)) return new InterpLineKernel(kernel, dtype, arena);
  const code = backend.code(`${dtype}\n${kernelKey(kernel)}`, (simd, wide) =>
    lowerLines(kernel, dtype, simd, wide),
  );
  return new WasmLineKernel(kernel, code.on(arena), arena, allocate, grids, sums, backend.pool);
}

/** Byte offsets of the plan's temporaries, each with room for the largest parameter. */
function temporariesOf(plan: Plan, { places, temporaries }: LineRoom): number[] {
  const counts = new Map<Domain, number>();
  return plan.temporaryRanks.map((rank) => {
    const count = (counts.get(rank) ?? 0) + 1;
    counts.set(rank, count);
    const elements = places.reduce((most, { sizes }) => Math.max(most, sizes[rank]), 0);
    return temporaries(count, elements, rank).at(-1)!;
  });
}

/** Bytes for the sums of columns: those of any kernel of the plan, over the largest parameter. */
export function sumBytes(plan: Plan, places: readonly MatrixPlace[]): number {
  return mostColumnSums(plan) * columnSumBytes(places);
}

/** How many sums of columns a kernel of the plan has at most. */
function mostColumnSums({ stages }: Plan): number {
  return Math.max(0, ...stages.map(({ kernel }) => columnSumsOf(kernel).length));
}

/** Bytes that each of them takes for the largest parameter: float64, by block. */
function columnSumBytes(places: readonly MatrixPlace[]): number {
  return places.reduce((most, place) => {
    const { blocks, width } = gridsOf(place).tensor;
    return Math.max(most, 8 * blocks * width);
  }, 0);
}
