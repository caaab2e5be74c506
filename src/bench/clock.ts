// How finely the clock of this process can be read: browsers blur it, to 5 us on pages that are isolated
// and to 100 us on others.

/** So many ticks are waited for. */
const TICKS = 10;

let found: number | undefined;

/** Milliseconds from one reading of the clock to the next that differs, the least of some; measured once. */
export function clockResolution(): number {
  return (found ??= measureResolution(() => performance.now()));
}

export function measureResolution(now: () => number): number {
  let least = Infinity;
  for (let i = 0; i < TICKS; i++) {
    const before = now();
    let after = before;
    while (after === before) after = now();
    least = Math.min(least, after - before);
  }
  return least;
}
