/** Numbers as people read them: few digits, and powers of ten only where they save zeros. */

/** E.g. `0.0123`, `1.2e-7`, `12 300`. */
export function short(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return minus(value.toExponential(digits - 1).replace("e+", "e"));
  }
  return minus(String(Number(value.toPrecision(digits))));
}

/** A coordinate: as many decimals as its neighbours have. */
export function coordinate(value: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e4) return short(value);
  return minus(value.toFixed(3));
}

const minus = (text: string): string => text.replaceAll("-", "−");
