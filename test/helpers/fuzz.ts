/** Inputs that nobody meant: from a seed, so that one that was found can be found again. */

import { CheckpointError } from "../../src/errors.ts";

/** How many inputs each reader gets. */
export const COUNT = process.env["DOWNHILL_REQUIRE_ALL"] === "1" ? 1_000_000 : 30_000;
const MOST_MS = 100;

/** Reads `count` inputs; how many were accepted. */
export function fuzz(
  count: number,
  input: (chance: Chance) => Uint8Array,
  read: (bytes: Uint8Array) => void,
): number {
  const chance = new Chance(count);
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    const bytes = input(chance);
    let fastest = attempt(read, bytes);
    // A pause may be the machine's; what is slow three times is slow.
    for (let again = 0; again < 2 && Math.abs(fastest) > MOST_MS; again++) {
      const next = attempt(read, bytes);
      if (Math.abs(next) < Math.abs(fastest)) fastest = next;
    }
    if (Math.abs(fastest) > MOST_MS) throw new Error(`input ${i}: ${Math.abs(fastest)} ms`);
    if (fastest > 0) accepted++;
  }
  return accepted;
}

/** Milliseconds; negative if the input was refused. */
function attempt(read: (bytes: Uint8Array) => void, bytes: Uint8Array): number {
  const start = performance.now();
  try {
    read(bytes);
    return performance.now() - start + 1e-9;
  } catch (error) {
    if (error instanceof CheckpointError) return start - performance.now() - 1e-9;
    throw new Error(`not an error of ours, for ${Buffer.from(bytes).toString("base64")}`, {
      cause: error,
    });
  }
}

export class Chance {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2_654_435_761 + 1) | 0;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((this.state >>> 8) / 2 ** 24) * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** A copy with a few bytes changed, put in, taken out, or moved. */
export function mutate(bytes: Uint8Array, chance: Chance): Uint8Array {
  let copy = bytes.slice();
  for (let times = 1 + chance.below(3); times > 0; times--) {
    const { length } = copy;
    const at = chance.below(length + 1);
    switch (chance.below(6)) {
      case 0:
        if (at < length) copy[at]! ^= 1 << chance.below(8);
        break;
      case 1:
        if (at < length) copy[at] = chance.below(256);
        break;
      case 2:
        copy = copy.slice(0, at);
        break;
      case 3:
        copy.copyWithin(at, chance.below(length), chance.below(length));
        break;
      case 4: {
        const longer = new Uint8Array(length + 1 + chance.below(4));
        longer.set(copy.subarray(0, at));
        longer.fill(chance.below(256), at);
        longer.set(copy.subarray(at), longer.length - (length - at));
        copy = longer;
        break;
      }
      default:
        if (length > 8) copy[chance.below(8)] = chance.pick([0, 1, 2, 255, length & 255]);
    }
  }
  return copy;
}

const words =
  '{ } [ ] , : " "a" "b" "" "\\u0061" "__metadata__" "dtype" "shape" "data_offsets" "F32" "U8" "BOOL" "F4" 0 1 2 4 -1 1.0 1e0 01 9007199254740993 null true NaN'.split(
    " ",
  );
const values = ["[]", "[0]", "[1]", "[2,2]", "[0,4]", "[0,0]", "[4,8]", '"F32"', '"U8"', "{}", "0"];

/** Something like a header. */
export function header(chance: Chance): string {
  if (chance.below(4) === 0) {
    return Array.from({ length: chance.below(24) }, () => chance.pick(words)).join("");
  }
  const field = () => {
    switch (chance.below(4)) {
      case 0:
        return `"dtype":${chance.pick(['"F32"', '"U8"', '"BOOL"', chance.pick(values)])}`;
      case 1:
        return `"shape":${chance.pick(values)}`;
      case 2:
        return `"data_offsets":${chance.pick(values)}`;
      default:
        return `${chance.pick(words)}:${chance.pick(words)}`;
    }
  };
  const fields = () => Array.from({ length: 2 + chance.below(3) }, field).join(",");
  const names = ['"a"', '"b"', '"__metadata__"', '"__proto__"', '"state.a.exp_avg"'];
  const entries = Array.from(
    { length: chance.below(4) },
    () => `${chance.pick(names)}:{${fields()}}`,
  );
  return `{${entries.join(",")}}`;
}
