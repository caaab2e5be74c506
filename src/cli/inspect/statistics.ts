/** What the numbers of a tensor are like, taken in piece by piece. */
import { elementsOf, type AnyTypedArray, type SafeDType } from "../../checkpoint/dtypes.ts";
import { exactFloat32 } from "../../checkpoint/floats.ts";

/** Norm, least and greatest are those of the finite numbers; `null` where there is none. */
export interface Statistics {
  /** The root of the sum of squares. */
  readonly norm: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly nan: number;
  readonly inf: number;
}

export class Tally {
  private squares = 0;
  private min = Infinity;
  private max = -Infinity;
  private nan = 0;
  private inf = 0;

  add(values: AnyTypedArray): void {
    let { squares, min, max } = this;
    for (let i = 0; i < values.length; i++) {
      const x = Number(values[i]);
      if (x - x !== 0) {
        if (Number.isNaN(x)) this.nan++;
        else this.inf++;
        continue;
      }
      squares += x * x;
      if (x < min) min = x;
      if (x > max) max = x;
    }
    Object.assign(this, { squares, min, max });
  }

  statistics(): Statistics {
    const { squares, min, max, nan, inf } = this;
    const isEmpty = min > max;
    const bounds = isEmpty ? { min: null, max: null } : { min, max };
    return { norm: Math.sqrt(squares), ...bounds, nan, inf };
  }
}

/**
 * Bytes as numbers, of complex ones both parts; `null` for types of less than 8 bits, and for those of 8
 * whose meaning differs from one machine to the next.
 */
export function numbersOf(dtype: SafeDType, bytes: Uint8Array): AnyTypedArray | null {
  const isSmall = /^F[468]_|^F4$/.test(dtype);
  return exactFloat32(dtype, bytes) ?? (isSmall ? null : elementsOf(dtype, bytes));
}
