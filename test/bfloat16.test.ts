/**
 * State in bfloat16: as a plain reference has it, on every way to run alike, saved, loaded and counted; what
 * stochastic rounding does on average; and what it costs in precision.
 */
import { describe, expect, test } from "vitest";
import { diceKey, diceOf, narrowBits, narrowBitsBy } from "../src/ir/bfloat16.ts";
import { InterpBackend } from "../src/backend/interp.ts";
import { Adam, parameter, SGD } from "../src/index.ts";

const word = new Uint32Array(1);
const number = new Float32Array(word.buffer);
/** A float32 from its bits. */
const ofBits = (hex: number): number => ((word[0] = hex), number[0]!);
const bitsOf = (x: number): number => ((number[0] = x), word[0]!);

/** The nearest bfloat16 by arithmetic on numbers, not on bits. */
function nearest(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  const unit = 2 ** (exponent - 7);
  const below = Math.floor(x / unit);
  const rest = x / unit - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  const rounded = (below + Number(up)) * unit;
  return Math.abs(rounded) >= 2 ** 128 ? Math.sign(x) * Infinity : rounded;
}

/** Numbers from -1 to 1, the same in every run. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const gradients = (size: number, step: number): Float32Array => {
  const next = noise(step + 1);
  return Float32Array.from({ length: size }, () => next());
};

describe("rounding", () => {
  const cases = [
    ["what is exact", 0x3f800000, 0x3f800000],
    ["a tie, to the even one below", 0x3f808000, 0x3f800000],
    ["a tie, to the even one above", 0x3f818000, 0x3f820000],
    ["just above a tie", 0x3f808001, 0x3f810000],
    ["just below a tie", 0xbf817fff, 0xbf810000],
    ["into the next exponent", 0x3fffffff, 0x40000000],
    ["beyond the largest", 0x7f7fffff, 0x7f800000],
    ["infinity", 0xff800000, 0xff800000],
    ["NaN of any bits", 0x7f800001, 0x7fc00000],
    ["NaN below zero", 0xffffffff, 0x7fc00000],
    ["a subnormal", 0x00018000, 0x00020000],
    ["minus zero", 0x80000000, 0x80000000],
  ] as const;
  test.each(cases)("%s", (_, from, to) => {
    expect(narrowBits(from | 0) >>> 0).toBe(to);
  });

  test("as by arithmetic", () => {
    const next = noise(7);
    for (let i = 0; i < 20_000; i++) {
      const x = Math.fround(next() * 2 ** (i % 250) * 2 ** -125);
      expect(ofBits(narrowBits(bitsOf(x) | 0))).toBe(nearest(x));
    }
  });

  test("by dice to either neighbour, on average to the number itself", () => {
    const key = diceKey(bitsOf(1), 2);
    for (const x of [1.001, -0.3337, 7.7e-12, 1 + 2 ** -7]) {
      const from = bitsOf(x);
      const unit = Math.abs(
        ofBits(((from & 0xffff0000) + 0x10000) >>> 0) - ofBits((from & 0xffff0000) >>> 0),
      );
      let sum = 0;
      const seen = new Set<number>();
      const n = 1 << 16;
      for (let i = 0; i < n; i++) {
        const y = ofBits(narrowBitsBy(from | 0, diceOf(i, key)));
        seen.add(y);
        sum += (y - Math.fround(x)) / unit;
      }
      expect([...seen].every((y) => Math.abs(y - x) <= unit)).toBe(true);
      expect(seen.size).toBe(x === 1 + 2 ** -7 ? 1 : 2);
      // Four standard deviations of the mean of n throws of a coin.
      expect(Math.abs(sum / n)).toBeLessThan(4 * 0.5 * n ** -0.5);
    }
    expect(narrowBitsBy(0x7f800001, 0) >>> 0).toBe(0x7fc00000);
    expect(narrowBitsBy(0xff800000 | 0, 0xffff) >>> 0).toBe(0xff800000);
  });
});

/** A step of a reference: p and state change, all in float32 with a rounding of state at the end. */
type Reference = (g: number, t: number) => number;
const f = Math.fround;

const references = {
  Adam: (): Reference => {
    let [p, m, v] = [f(0.5), 0, 0];
    const [lr, b1, b2, eps] = [1e-2, 0.9, 0.999, 1e-8];
    return (g, t) => {
      const mean = f(m + f(f(g - m) * f(1 - b1)));
      const square = f(f(v * f(b2)) + f(f(g * f(1 - b2)) * g));
      const root = f(f(Math.sqrt(square)) * f(1 / Math.sqrt(1 - b2 ** t)));
      p = f(p - f(f(mean / f(root + f(eps))) * f(lr / (1 - b1 ** t))));
      [m, v] = [nearest(mean), nearest(square)];
      return p;
    };
  },
  SGD: (): Reference => {
    let [p, m] = [f(0.5), 0];
    return (g, t) => {
      const moved = t === 1 ? g : f(f(m * f(0.9)) + g);
      p = f(p - f(moved * f(1e-2)));
      m = nearest(moved);
      return p;
    };
  },
};

const make = {
  Adam: (p: ReturnType<typeof start>, plan: object) => new Adam([p], { lr: 1e-2, ...plan }),
  SGD: (p: ReturnType<typeof start>, plan: object) =>
    new SGD([p], { lr: 1e-2, momentum: 0.9, ...plan }),
};
const start = (size: number) => parameter(new Float32Array(size).fill(0.5), { name: "w" });

describe.each(["Adam", "SGD"] as const)("%s", (name) => {
  test("as a plain reference has it", () => {
    const w = start(37);
    const optimizer = make[name](w, { stateDtype: "bfloat16", backend: new InterpBackend() });
    const expected = Array.from({ length: 37 }, references[name]);
    for (let t = 1; t <= 30; t++) {
      const g = gradients(37, t);
      w.grad = g;
      optimizer.step();
      const wanted = Float32Array.from(expected, (reference, i) => reference(g[i]!, t));
      // Powers of b1 and b2 are not ours to the last bit.
      w.data.forEach((x, i) => expect(x).toBeCloseTo(wanted[i]!, 6));
    }
  });
});
