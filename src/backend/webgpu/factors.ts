/**
 * Factors that repeat from row to row: what the updates of each component of a row are multiplied by.
 *
 * They are bound where a slot would be, but a row of them stands for all rows, so they cost no memory to
 * speak of and no time. An item is two vectors then; the second says where its factors begin, how many
 * there are, and which of them the first element of what is bound meets.
 */
import { Usage } from "../../memory/webgpu/constants.ts";
import type { Stretch, Window } from "./chunk.ts";

/** Numbers of an item that has factors. */
export const FACTOR_ITEM = 8;

/** The item of a workgroup, and its row of factors. */
export const readFactorItem = `let at = 2u * (group.y * groups.x + group.x);
  let item = items[at];
  let row = items[at + 1u];`;

/** The factors as slot `slot`, and functions for {@link loadFactors}. */
export function declareFactors(binding: number, slot: number): string {
  return `@group(0) @binding(${binding}) var<storage, read> s${slot}: array<f32>;

fn next(k: u32, length: u32) -> u32 {
  return select(k + 1u, 0u, k + 1u == length);
}
fn factors1(i: u32, row: vec4u) -> f32 {
  return s${slot}[row.x + (i + row.z) % row.y];
}
fn factors4(i: u32, row: vec4u) -> vec4f {
  let a = (4u * i + row.z) % row.y;
  let b = next(a, row.y);
  let c = next(b, row.y);
  let d = next(c, row.y);
  return vec4f(s${slot}[row.x + a], s${slot}[row.x + b], s${slot}[row.x + c], s${slot}[row.x + d]);
}`;
}

/** The factors of the elements at hand. */
export function loadFactors(width: 1 | 4): string {
  return `factors${width}(i, row)`;
}

/** Collects the factors of all stretches that a plan runs over. */
export class FactorTable {
  private readonly values: number[] = [];
  private readonly known = new Map<readonly number[], number>();

  /** The second half of an item. */
  rowOf({ factors = [1], begin }: Stretch, window: Window): readonly number[] {
    let start = this.known.get(factors);
    if (start === undefined) {
      this.known.set(factors, (start = this.values.length));
      for (const factor of factors) this.values.push(factor);
    }
    const { length } = factors;
    const phase = (((window.begin - begin) % length) + length) % length;
    return [start, length, phase, 0];
  }

  upload(device: GPUDevice): GPUBuffer {
    const values = new Float32Array(this.values);
    const size = Math.max(4, values.byteLength);
    const usage = Usage.storage | Usage.copyTarget;
    const buffer = device.createBuffer({ label: "downhill: factors", size, usage });
    device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  }
}
