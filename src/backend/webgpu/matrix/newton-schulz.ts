/**
 * Newton-Schulz iteration on a GPU, see `../../matrix/newton-schulz.ts`: so many times
 *
 *     X ← a·X + X·(b·A + c·A·A),  A = Xᵀ·X,    or    X ← a·X + (b·A + c·A·A)·X,  A = X·Xᵀ
 *
 * whichever A is smaller. Each time takes three products, for many matrices of one shape at once. X goes
 * to and fro between its own place and scratch memory. A and the polynomial P of it are symmetric, so that
 * it makes no difference which way round they are read.
 */
import type { Shape } from "../../../ir/trace.ts";
import type { Gpu } from "../gpu.ts";
import { Jobs, type Command, type Place } from "./jobs.ts";
import { largeTile, smallTile, tilesOf, type Tile } from "./product.ts";
import type { Scratch } from "./scratch.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;
/** From so many large tiles on all of a device has work; fewer are cut smaller. */
const MANY_TILES = 64;

/** Matrices of one shape, and where everything is. */
export interface NewtonSchulzOptions {
  readonly shape: Shape;
  readonly memory: GPUBufferBinding;
  /** Where each begins: elements from the start of what is bound. */
  readonly offsets: readonly number[];
  /** Where the numbers of a step are; they are bound at an offset of their own in each. */
  readonly values: GPUBufferBinding;
  /** Which of them are a, b, c and how many times. */
  readonly numbers: readonly number[];
  readonly scratch: Scratch;
  /** By default the one that suits the amount of work. It makes no difference to the bits. */
  readonly tile?: Tile;
}

/** What runs for some of the matrices; of two, the first goes out from their own place. */
interface Commands {
  readonly gram: readonly [Command, Command];
  readonly square: Command;
  readonly apply: readonly [Command, Command];
  readonly copy: Command;
}

/** The commands of {@link Commands}. */
const COMMANDS = 6;

export class GpuNewtonSchulz {
  private readonly options: NewtonSchulzOptions;
  /** Rows and columns of A. */
  private readonly side: number;
  /** How many matrices are under way at a time: as many as scratch memory has room for. */
  private readonly atOnce: number;
  private readonly jobs: Jobs;
  private readonly parts: readonly Commands[];
  private readonly dynamic = new Uint32Array(2);

  /** Compiles and makes everything that it ever needs. */
  constructor(gpu: Gpu, options: NewtonSchulzOptions) {
    const { shape, offsets, values, scratch } = options;
    const [rows, columns] = shape;
    this.options = options;
    this.side = Math.min(...shape);
    const bytes = BYTES * (rows * columns + 2 * this.side ** 2);
    const { maxComputeWorkgroupsPerDimension: most } = gpu.device.limits;
    this.atOnce = Math.max(1, Math.min(offsets.length, most, Math.floor(scratch.bytes / bytes)));
    const count = Math.ceil(offsets.length / this.atOnce);
    this.jobs = new Jobs(gpu, { jobs: count * COMMANDS, matrices: this.atOnce }, values);
    this.parts = Array.from({ length: count }, (_, part) => {
      const first = part * this.atOnce;
      return this.commands(offsets.slice(first, first + this.atOnce));
    });
    this.jobs.send();
  }

  /**
   * @param offset bytes from the start of the values to the numbers of this step.
   * @param numbers of this step, as the host has them.
   */
  encode(pass: GPUComputePassEncoder, offset: number, numbers: ArrayLike<number>): void {
    const times = numbers[this.options.numbers[3]!]!;
    this.dynamic[1] = offset;
    for (let i = 0; i < this.parts.length; i++) {
      const { gram, square, apply, copy } = this.parts[i]!;
      // The last product is to go to the matrices' own place.
      let from = times % 2;
      if (from === 1) this.run(pass, copy);
      for (let time = 0; time < times; time++) {
        this.run(pass, gram[from]!);
        this.run(pass, square);
        this.run(pass, apply[from]!);
        from = 1 - from;
      }
    }
  }

  private run(pass: GPUComputePassEncoder, { pipeline, group, job, grid }: Command): void {
    this.dynamic[0] = job;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, this.dynamic, 0, 2);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
  }

  private commands(offsets: readonly number[]): Commands {
    const { side, jobs, options } = this;
    const { shape, memory, numbers } = options;
    const [rows, columns] = shape;
    const [a, b, c] = numbers as [number, number, number];
    const count = offsets.length;
    const own: Place = { name: "X", binding: memory, offset: (i) => offsets[i]!, row: columns };
    const other = this.scratch("X", rows * columns, columns);
    const gram = this.scratch("A", side ** 2, side);
    const polynomial = this.scratch("P", side ** 2, side);
    const isTall = rows >= columns;
    const lie = isTall ? "down" : "along";
    const gramOf = (x: Place): Command =>
      jobs.product(
        {
          result: "gram",
          left: lie,
          right: lie,
          from: [x, x],
          to: gram,
          size: [side, side, Math.max(...shape)],
          numbers: [],
        },
        count,
        this.tile(side, side, count),
      );
    const apply = (x: Place, to: Place): Command =>
      jobs.product(
        {
          result: isTall ? "applyLeft" : "applyRight",
          left: isTall ? "along" : "down",
          right: "down",
          from: isTall ? [x, polynomial] : [polynomial, x],
          to,
          size: [rows, columns, side],
          numbers: [a],
        },
        count,
        this.tile(rows, columns, count),
      );
    return {
      gram: [gramOf(own), gramOf(other)],
      square: jobs.product(
        {
          result: "square",
          left: "down",
          right: "down",
          from: [gram, gram],
          to: polynomial,
          size: [side, side, side],
          numbers: [b, c],
        },
        count,
        this.tile(side, side, count),
      ),
      apply: [apply(own, other), apply(other, own)],
      copy: jobs.copy(own, other, rows * columns, count),
    };
  }

  /** Scratch memory for as many as are under way, side by side. */
  private scratch(name: string, elements: number, row: number): Place {
    const binding = this.options.scratch.binding(name, this.atOnce * elements * BYTES);
    return { name: `scratch ${name}`, binding, offset: (i) => i * elements, row };
  }

  private tile(rows: number, columns: number, count: number): Tile {
    const { tile } = this.options;
    if (tile) return tile;
    const isMuch = tilesOf(largeTile, rows, columns) * count >= MANY_TILES;
    return isMuch && Math.min(rows, columns) > smallTile.size ? largeTile : smallTile;
  }
}
