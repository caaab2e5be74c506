/** Kernels that run along rows and columns: what an optimizer knows of whoever runs them. */
import type { LineEngine } from "../../ir/lines.ts";
import type { Plan } from "../../ir/plan.ts";
import type { Domain } from "../../ir/rank.ts";
import type { Arena } from "../../memory/arena.ts";
import type { MatrixPlace } from "../../memory/matrix-place.ts";
import type { Backend } from "../backend.ts";

/** Where the parameters lie, and memory for what is computed on the way. */
export interface LineRoom {
  readonly backend: Backend;
  readonly arena: Arena;
  /** Of all parameters that the plan may run over. */
  readonly places: readonly MatrixPlace[];
  /** Byte offset of memory that is kept. */
  readonly allocate: (bytes: number) => number;
  /** Byte offsets of `count` temporaries of one kind; the next who asks gets the same. */
  readonly temporaries: (
    count: number,
    elements: number,
    kind: Domain | "sums",
  ) => readonly number[];
}

export interface LineRunner extends LineEngine {
  /** @throws {BackendError} `OUT_OF_MEMORY`; nothing has run then. */
  bind(plan: Plan, room: LineRoom): BoundLines;
  /** Bytes that the sums of columns take besides the plan's temporaries. */
  sumBytes(plan: Plan, places: readonly MatrixPlace[]): number;
}

/** A plan whose kernels run along lines, tied to an arena. */
export interface BoundLines {
  /** Says where the program's slots start: byte offsets in the arena, by slot. */
  place(slots: ArrayLike<number>): void;
  /** Hands the numbers of a trace to the kernels, unless they have those of this version. */
  load(uniforms: Float64Array, version: number): void;
  /** All kernels over one parameter. */
  run(place: MatrixPlace, threads: number): void;
}

/** Who runs a plan along lines; `null` for plans that do not run so. */
export function lineRunnerOf({ lines }: Plan): LineRunner | null {
  return lines && "bind" in lines ? (lines as LineRunner) : null;
}
