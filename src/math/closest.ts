/** The name that was probably meant. */

/** Longer names are not compared. */
const MAX_LENGTH = 40;

/** The known name that differs by the fewest letters, if these are few; case counts for nothing. */
export function closest(stranger: string, known: readonly string[]): string | undefined {
  if (stranger.length > MAX_LENGTH) return undefined;
  const limit = Math.min(2, Math.floor(stranger.length / 2));
  let best: string | undefined;
  let least = limit + 1;
  for (const name of known) {
    if (Math.abs(name.length - stranger.length) > limit) continue;
    const apart = distance(plain(stranger), plain(name));
    if (apart < least) [best, least] = [name, apart];
  }
  return best;
}

/** What other languages and papers call what has a name here. */
const elsewhere: ReadonlyMap<string, string> = /* @__PURE__ */ new Map(
  Object.entries({
    g: "grad grads gradient dw",
    p: "param params parameter theta w weight weights",
    t: "step steps iteration",
    lr: "alpha eta gamma learningrate",
    b1: "beta beta1",
    b2: "beta2",
    eps: "epsilon",
    weightDecay: "decay wd lambda",
  }).flatMap(([ours, theirs]) => theirs.split(" ").map((name) => [name, ours] as const)),
);

/** The known name that was probably meant: a similar one, or what the stranger is called here. */
export function meantBy(stranger: string, known: readonly string[]): string | undefined {
  const similar = closest(stranger, known);
  if (similar !== undefined) return similar;
  const ours = elsewhere.get(plain(stranger));
  return ours !== undefined && known.includes(ours) ? ours : undefined;
}

const plain = (name: string): string => name.replaceAll("_", "").toLowerCase();

/** How many letters have to be put in, left out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(changed, above[j]! + 1, row[j - 1]! + 1));
    }
  }
  return row[b.length]!;
}
