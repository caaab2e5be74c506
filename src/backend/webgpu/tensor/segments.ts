/** The tensors that one binding of a chunk reaches, as shaders see them. */
import type { Domain } from "../../../ir/rank.ts";
import type { MatrixPlace } from "../../../memory/matrix-place.ts";
import { windowStart } from "../../../memory/webgpu/chunk.ts";
import { BINDING_ALIGNMENT } from "../../../memory/webgpu/constants.ts";
import type { Stretch, Window } from "../chunk.ts";

/** One tensor, without what lies behind it. */
export interface Tensor extends Stretch {
  /** Its rows and columns; `null` for fewer than two dimensions. */
  readonly place: MatrixPlace | null;
}

/** Per rank where a tensor has its numbers, counted from what is bound. */
export type Starts = Readonly<Record<Domain, number>>;

export class Segments {
  readonly tensors: readonly Tensor[];
  /** What is bound of memory with a number for each element. */
  readonly window: Window;
  readonly starts: readonly Starts[];

  constructor(tensors: readonly Tensor[]) {
    this.tensors = tensors;
    const first = tensors.reduce((low, tensor) => Math.min(low, tensor.begin), Infinity);
    const begin = windowStart(first);
    const end = tensors.reduce((high, tensor) => Math.max(high, tensor.end), 0);
    this.window = { begin, end };
    let matrix = 0;
    this.starts = tensors.map((tensor) => {
      const { row = 0, column = 0 } = tensor.place?.offsets ?? {};
      const starts = { tensor: tensor.begin - begin, row, column, matrix };
      matrix += tensor.place?.sizes.matrix ?? 0;
      return starts;
    });
  }

  /** How many numbers a temporary needs in which all tensors have theirs of a rank. */
  extent(rank: Exclude<Domain, "tensor">): number {
    return this.tensors.reduce(
      (most, { place }, s) => Math.max(most, this.starts[s]![rank] + (place?.sizes[rank] ?? 0)),
      0,
    );
  }
}

/**
 * Cuts tensors into sets that lie within so many bytes each, in order; tensors without elements are left out.
 *
 * @param alone whether each is a set of its own.
 */
export function segmentsOf(tensors: readonly Tensor[], bytes: number, alone: boolean): Segments[] {
  const most = (bytes - BINDING_ALIGNMENT) / Float32Array.BYTES_PER_ELEMENT;
  const sets: Tensor[][] = [];
  let from = 0;
  for (const tensor of tensors) {
    if (tensor.begin === tensor.end) continue;
    const set = sets.at(-1);
    if (set && !alone && tensor.begin >= from && tensor.end - from <= most) set.push(tensor);
    else {
      sets.push([tensor]);
      from = windowStart(tensor.begin);
    }
  }
  return sets.map((set) => new Segments(set));
}
