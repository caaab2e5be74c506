/** What an optimizer on a GPU remembers of each parameter. */
import type { MatrixPlace } from "../memory/matrix-place.ts";
import type { GpuHome, GpuParameter } from "../memory/webgpu/parameter.ts";
import type { Member } from "../optim/entry.ts";
import type { ChunkState } from "./chunk-state.ts";

export interface GpuEntry extends Member<GpuParameter> {
  home: GpuHome;
  chunk: ChunkState;
  /** Its rows and columns; `null` for fewer than two dimensions. */
  matrix: MatrixPlace | null;
  /** That of its rows which is known here. */
  revision: number;
  /** Whether it had a gradient when the batches were last put together. */
  had: boolean;
  /** Its `lrScale` then. */
  lrScale: readonly number[] | null;
  /** Steps this parameter has taken. Current once settled. */
  steps: number;
  /** Bit i: state slot i has been written. */
  written: number;
  /** What the rule remembers besides tensors; empty before the first step. Current once settled. */
  numbers: readonly number[];
}
