/** What a plan knows of the memory that it runs over: windows of it that can be bound. */

/** A part of a chunk that one dispatch can reach, in elements from the chunk's start. */
export interface Window {
  readonly begin: number;
  readonly end: number;
}

export interface ChunkMemory {
  /** Another object when slots 0 and 1 are somewhere else. */
  readonly location: object;
  readonly windows: readonly Window[];
  /** The part of a slot's memory that belongs to a window; a slot below 0 is temporary ~slot. */
  binding(slot: number, window: Window): GPUBufferBinding;
}

/** One stretch of elements whose numbers are those of a segment. */
export interface Stretch {
  readonly segment: number;
  /** The parameter group. */
  readonly group: number;
  readonly begin: number;
  readonly end: number;
  /** What updates are multiplied by: one factor for each element of a row, the first of which begins here. */
  readonly factors?: readonly number[];
}

/** Work that has been laid out: which kernels run over what. */
export interface Arrangement {
  /**
   * @param offset bytes from the start of the values to the numbers of this step.
   * @param numbers the same numbers, as the host has them.
   */
  encode(pass: GPUComputePassEncoder, offset: number, numbers: ArrayLike<number>): void;
}

/** A plan on a chunk. */
export interface GpuPlan {
  /** Numbers of each segment in what is uploaded for a step. */
  readonly stride: number;
  /**
   * Lays out work over these stretches, in order; each is a tensor if tensors go one by one.
   *
   * @param values where the numbers of a step are, and how many bytes of them are bound at once.
   */
  arrange(stretches: readonly Stretch[], values: GPUBufferBinding): Arrangement;
}
