/** The search: over names of things and headings, best first. */

export interface Findable {
  readonly name: string;
  readonly at: string;
  readonly from: string;
}

const MOST = 24;

/** How well a name fits a word: 0 is exactly. */
function distance(name: string, word: string): number {
  if (name === word) return 0;
  if (name.startsWith(word)) return 1;
  if (name.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word))) return 2;
  return name.includes(word) ? 3 : Infinity;
}

/** Entries that have every word, the better fits and the shorter names first. */
export function find<E extends Findable>(entries: readonly E[], query: string): E[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return entries
    .map((entry) => {
      const name = entry.name.toLowerCase();
      const from = entry.from.toLowerCase();
      const each = words.map((word) =>
        Math.min(distance(name, word), from.includes(word) ? 4 : Infinity),
      );
      const isNamed = words.some((word) => name.includes(word));
      return { entry, score: isNamed ? Math.max(...each) + name.length / 1000 : Infinity };
    })
    .filter(({ score }) => score < Infinity)
    .toSorted((a, b) => a.score - b.score)
    .slice(0, MOST)
    .map(({ entry }) => entry);
}
