/** What the numbers of a tensor are like, taken in piece by piece. */
import { elementsOf, type AnyTypedArray, type SafeDType } from "../../checkpoint/dtypes.ts";
import { fromHalf } from "../../checkpoint/half.ts";
import { widened } from "../../memory/bfloat16.ts";

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
  const elements = elementsOf(dtype, bytes);
  switch (dtype) {
    case "F16":
      return fromHalf(elements as Uint16Array);
    case "BF16":
      return widened(elements as Uint16Array);
    case "F8_E5M2": // the upper half of a half
      return fromHalf(Uint16Array.from(bytes, (byte) => byte << 8));
    case "F8_E4M3":
      return Float32Array.from(bytes, fromE4M3);
    default:
      return /^F[468]/.test(dtype) && dtype !== "F64" ? null : elements;
  }
}

/** 4 bits of exponent, 3 of fraction, no infinity: https://arxiv.org/abs/2209.05433. */
function fromE4M3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const [exponent, fraction] = [(byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return NaN;
  const size = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return sign * size;
}
