/** Ranges of elements in an arena; tensors that lie side by side become one. */
import { ALIGNMENT } from "../memory/arena.ts";
import { bytesOf, type DType } from "../memory/dtype.ts";
import type { Entry } from "./entry.ts";

/** A tensor in a region that holds many. */
export interface Placed {
  readonly home: { readonly offset: number };
  readonly parameter: { readonly size: number; readonly dtype: DType };
}

export class Ranges {
  /** Begin and end of each range, in elements. */
  readonly ranges: number[] = [];
  rangeCount = 0;
  /** Where a parameter would lie that continues the last range. */
  private next = -1;
  /** Bytes on a multiple of which every tensor starts. */
  protected readonly alignment: number = ALIGNMENT;

  clearRanges(): void {
    this.rangeCount = 0;
    this.next = -1;
  }

  /** Where the gradient of a parameter lies: all of it, or some rows. */
  addGradient(entry: Entry, merge: boolean): void {
    if (entry.parameter.isSparse) this.addRows(entry);
    else this.addRange(entry, merge);
  }

  /** @param merge whether it may continue the last range; the gap before it then belongs to it. */
  addRange({ home, parameter }: Placed, merge: boolean): void {
    const end = home.offset + parameter.size;
    if (merge && home.offset === this.next) this.ranges[2 * this.rangeCount - 1] = end;
    else {
      this.ranges[2 * this.rangeCount] = home.offset;
      this.ranges[2 * this.rangeCount + 1] = end;
      this.rangeCount++;
    }
    const step = this.alignment / bytesOf(parameter.dtype);
    this.next = Math.ceil(end / step) * step;
  }

  private addRows({ home, parameter }: Entry): void {
    const { runs, runCount } = parameter.rows!;
    for (let i = 0, at = 2 * this.rangeCount; i < 2 * runCount; i++) {
      this.ranges[at++] = home.offset + runs[i]!;
    }
    this.rangeCount += runCount;
    this.next = -1;
  }

  /** Number of elements in all ranges. */
  elements(): number {
    let sum = 0;
    for (let r = 0; r < this.rangeCount; r++) sum += this.ranges[2 * r + 1]! - this.ranges[2 * r]!;
    return sum;
  }
}
