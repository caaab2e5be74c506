/**
 * A plan whose kernels run along lines, tied to an arena: it runs over one parameter at a time, whose
 * shape says how long its lines are and where its parts of the state lie.
 */
import type { Plan } from "../ir/plan.ts";
import type { Domain } from "../ir/rank.ts";
import type { Arena } from "../memory/arena.ts";
import { bytesOf } from "../memory/dtype.ts";
import type { Backend, BoundLineKernel } from "./backend.ts";
import type { MatrixPlace } from "./grid.ts";
import { HostScalars } from "./host-scalars.ts";

export class LinePlan {
  private readonly plan: Plan;
  private readonly bytes: number;
  private readonly kernels: readonly BoundLineKernel[];
  /** Byte offsets. */
  private readonly temporaries: readonly number[];
  private readonly host: HostScalars;
  /** Results of each kernel's reductions to one number. */
  private readonly totals: readonly Float64Array[];
  private regions: ArrayLike<number> = [];

  /**
   * @param temporaries byte offsets, each with room for the largest parameter.
   * @param sums byte offsets of room for the sums of columns, as many as {@link mostColumnSums} says.
   * @param places of all parameters that the plan may run over.
   * @throws {BackendError} if memory runs out; nothing has run then.
   */
  constructor(
    plan: Plan,
    backend: Backend,
    arena: Arena,
    temporaries: readonly number[],
    sums: readonly number[],
    places: readonly MatrixPlace[],
    allocate: (bytes: number) => number,
  ) {
    this.plan = plan;
    this.bytes = bytesOf(arena.dtype);
    const gridsOf = (domain: Domain) => places.map(({ grids }) => grids[domain]);
    this.kernels = plan.stages.map(({ kernel, domain }) =>
      backend.compile(kernel, arena.dtype).bindLines(arena, allocate, gridsOf(domain), sums),
    );
    this.temporaries = temporaries;
    this.host = new HostScalars(plan, this.kernels);
    this.totals = plan.stages.map(({ reductions }) => new Float64Array(reductions.length));
  }

  /** Says where the program's slots start: byte offsets in the arena, by slot. */
  place(slots: ArrayLike<number>): void {
    this.regions = slots;
  }

  /** Hands the numbers of a trace to the kernels, unless they have those of this version. */
  load(uniforms: Float64Array, version: number): void {
    this.host.load(uniforms, version);
  }

  /** All kernels over one parameter. */
  run(place: MatrixPlace, threads: number): void {
    if (place.sizes.tensor === 0) return;
    const { stages } = this.plan;
    for (let s = 0; s < stages.length; s++) this.runStage(s, place, threads);
  }

  private runStage(index: number, place: MatrixPlace, threads: number): void {
    const { pointers, domain } = this.plan.stages[index]!;
    const kernel = this.kernels[index]!;
    this.host.prepare(index, place.sizes.tensor, place.rows, place.columns);
    const ranks = this.plan.program.slotRanks;
    for (let i = 0; i < pointers.length; i++) {
      const target = pointers[i]!;
      kernel.setPointer(
        i,
        target < 0
          ? this.temporaries[~target]!
          : this.regions[target]! + place.offsets[ranks[target]!] * this.bytes,
      );
    }
    const totals = this.totals[index]!;
    kernel.run(place.grids[domain], totals, threads);
    this.host.take(index, totals);
  }
}

/** How much room a temporary of a kind needs: elements. */
export function roomFor(rank: Domain, places: readonly MatrixPlace[]): number {
  return places.reduce((most, { sizes }) => Math.max(most, sizes[rank]), 0);
}

/** How many sums of columns a kernel of the plan has at most. */
export function mostColumnSums({ stages }: Plan): number {
  const counts = stages.map(({ kernel }) => {
    const { sums, along } = kernel.lines!;
    return sums.filter(({ slot }) => along[slot] === "column").length;
  });
  return Math.max(0, ...counts);
}

/** Bytes that each of them takes for the largest parameter: float64, by block. */
export function columnSumBytes(places: readonly MatrixPlace[]): number {
  return places.reduce(
    (most, { grids: { tensor } }) => Math.max(most, 8 * tensor.blocks * tensor.width),
    0,
  );
}
