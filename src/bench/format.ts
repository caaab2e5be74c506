/**
 * How the report writes numbers: in the terminal, in figures and on the page the same.
 *
 * Every function takes any number, because a run that diverged has NaN and infinite ones, and
 * returns text without colour, so that it may be padded and compared.
 */

/** A length of time given in milliseconds: `42 µs`, `0.85 ms`, `12.3 s`, `2 min 05 s`, `1 h 02 min`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms === 0) return "0 ms";
  if (ms < 0.0995) return `${significant(ms * 1e3, 2)} µs`;
  if (ms < 999.5) return `${significant(ms, ms < 10 ? 2 : 3)} ms`;
  if (ms < 59_950) return `${(ms / 1e3).toFixed(1)} s`;
  const seconds = Math.round(ms / 1e3);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** A loss with four decimals, or in scientific notation where these would not do. */
export function formatLoss(loss: number): string {
  if (!Number.isFinite(loss)) return String(loss);
  const size = Math.abs(loss);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? formatScientific(loss, 2) : loss.toFixed(4);
}

/** `1.2e-7`: one digit, the given number of decimals (default 1) and the exponent. 0 is `0`. */
export function formatScientific(value: number, decimals = 1): string {
  if (!Number.isFinite(value)) return String(value);
  return value === 0 ? "0" : value.toExponential(decimals).replace("e+", "e");
}

/** A fraction as a percentage with two decimals: 0.9731 is `97.31%`. */
export function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${(100 * fraction).toFixed(2)}%` : "-";
}

/** A count with commas between thousands: `101,770`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `12 B`, `3.4 kB`, `1.23 GB`: thousands are 1000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : significant(size, 3)} ${units[unit]!}`;
}

function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
