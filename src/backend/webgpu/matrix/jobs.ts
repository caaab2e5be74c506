/**
 * Dispatches over matrices of one size and what they need: pipelines, bindings, and one buffer with the
 * jobs that tell them what to do (see `product.ts`).
 */
import { BINDING_ALIGNMENT, Usage } from "../../../memory/webgpu/constants.ts";
import type { Gpu } from "../gpu.ts";
import {
  copyCode,
  copyTiles,
  JOB_HEADER,
  kinds,
  productCode,
  tilesOf,
  type Product,
  type Tile,
} from "./product.ts";

/** Where matrices are: a buffer, where each begins in it, and the elements from one row to the next. */
export interface Place {
  readonly name: string;
  readonly binding: GPUBufferBinding;
  readonly offset: (matrix: number) => number;
  readonly row: number;
}

export interface ProductJob extends Product {
  readonly from: readonly [left: Place, right: Place];
  readonly to: Place;
  /** Rows and columns of what comes out, and what is added up over. */
  readonly size: readonly [rows: number, columns: number, depth: number];
  /** Which of the step's numbers are used. */
  readonly numbers: readonly number[];
}

/** One dispatch. */
export interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Where its job is, in bytes. */
  readonly job: number;
  readonly grid: readonly [x: number, y: number, z: number];
}

/** Numbers of a vector, and vectors on a multiple of which jobs begin. */
const VECTOR = 4;
const ALIGNED = BINDING_ALIGNMENT / VECTOR / Uint32Array.BYTES_PER_ELEMENT;

export class Jobs {
  private readonly gpu: Gpu;
  private readonly values: GPUBufferBinding;
  private readonly binding: GPUBufferBinding;
  private readonly words: Uint32Array<ArrayBuffer>;
  /** Numbers of a job. */
  private readonly length: number;
  private readonly groups = new Map<string, GPUBindGroup>();
  private jobs = 0;

  /**
   * @param most jobs that there will be, and matrices of each.
   * @param values where the numbers of a step are.
   */
  constructor(gpu: Gpu, most: { jobs: number; matrices: number }, values: GPUBufferBinding) {
    this.gpu = gpu;
    this.values = values;
    this.length = VECTOR * ALIGNED * Math.ceil((JOB_HEADER + most.matrices) / ALIGNED);
    this.words = new Uint32Array(most.jobs * this.length);
    const buffer = gpu.device.createBuffer({
      label: "downhill: products of matrices",
      size: this.words.byteLength,
      usage: Usage.storage | Usage.copyTarget,
    });
    this.binding = { buffer, size: this.length * Uint32Array.BYTES_PER_ELEMENT };
  }

  /** A product for each of so many matrices, in tiles of that size. */
  product({ from, to, size, numbers, ...product }: ProductJob, count: number, tile: Tile): Command {
    const [rows, columns, depth] = size;
    const [left, right] = from;
    const [first = 0, second = 0] = numbers;
    const across = Math.ceil(columns / tile.size);
    const header = [rows, columns, depth, across, left.row, right.row, first, second];
    const code = productCode(product, tile);
    return this.command(code, header, [left, right, to], count, tilesOf(tile, rows, columns));
  }

  /** A copy of each of so many matrices. */
  copy(from: Place, to: Place, elements: number, count: number): Command {
    return this.command(copyCode, [elements], [from, from, to], count, copyTiles(elements));
  }

  /** Sends all jobs to the device. */
  send(): void {
    this.gpu.device.queue.writeBuffer(this.binding.buffer, 0, this.words);
  }

  private command(
    code: string,
    header: readonly number[],
    places: readonly Place[],
    count: number,
    workgroups: number,
  ): Command {
    const { gpu, words, length } = this;
    const at = this.jobs++ * length;
    words.set(header, at);
    for (let i = 0; i < count; i++) {
      const begins = places.map(({ offset }) => offset(i));
      words.set(begins, at + (JOB_HEADER + i) * VECTOR);
    }
    const y = Math.ceil(workgroups / gpu.device.limits.maxComputeWorkgroupsPerDimension);
    return {
      pipeline: gpu.pipeline(code, kinds),
      group: this.group(places),
      job: at * Uint32Array.BYTES_PER_ELEMENT,
      grid: [Math.ceil(workgroups / y), y, count],
    };
  }

  /** A place has one name as long as its jobs are collected here. */
  private group(places: readonly Place[]): GPUBindGroup {
    const key = places.map(({ name }) => name).join();
    let group = this.groups.get(key);
    if (!group) {
      const { gpu, binding, values } = this;
      const resources = [binding, values, ...places.map((place) => place.binding)];
      const entries = resources.map((resource, i) => ({ binding: i, resource }));
      group = gpu.device.createBindGroup({ layout: gpu.layout(kinds), entries });
      this.groups.set(key, group);
    }
    return group;
  }
}
