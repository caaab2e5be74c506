/** The parts of the Write room that need no page: its texts, its address, and what the editor's keys do. */
import { describe, expect, test } from "vitest";
import { Optimizer, parameter } from "../../src/index.ts";
import { parseRule } from "../../src/math/index.ts";
import {
  newLine,
  put,
  shift,
  unindent,
  type Edit,
  type Selection,
} from "../../site/src/rooms/write/edits.ts";
import { paint, placeOf } from "../../site/src/rooms/write/paint.ts";
import { builtIn, others, presetOf } from "../../site/src/rooms/write/presets.ts";
import { explain, fieldsIn, fitting, read } from "../../site/src/rooms/write/reading.ts";
import { namesOf } from "../../site/src/rooms/write/scope.ts";
import { readState, usual, writeState } from "../../site/src/rooms/write/state.ts";

const textOf = (label: string): string => others.find((preset) => preset.label === label)!.text;

describe("texts to begin with", () => {
  test.each([...others, ...builtIn])("$label is a rule, and is explained", ({ text }) => {
    const { rule, error } = read(text);
    expect(error).toBe(null);
    expect(explain(rule!, {}, 1)).toMatchObject({ refusal: null });
    expect(explain(rule!, {}, 2)).toMatchObject({ refusal: null });
    expect(presetOf(`${text}\n`)?.text).toBe(text);
  });

  type Loop = (p: number[], g: number[], t: number, state: Record<string, number[]>) => number[];
  const lr = 0.01;
  const slot = (state: Record<string, number[]>, name: string, start = 0): number[] =>
    (state[name] ??= [start, start, start]);
  const loops: Record<string, Loop> = {
    "Averaged gradient": (p, g, _, state) => {
      const m = slot(state, "m");
      return p.map((x, i) => x - lr * (m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!));
    },
    "Adam, shortly": (p, g, t, state) => {
      const [m, v] = [slot(state, "m"), slot(state, "v")];
      return p.map((x, i) => {
        m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        v[i] = 0.999 * v[i]! + (1 - 0.999) * g[i]! ** 2;
        return x - (lr * (m[i]! / (1 - 0.9 ** t))) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
      });
    },
    SignSGD: (p, g) => p.map((x, i) => x - lr * Math.sign(g[i]!)),
    Signum: (p, g, _, state) => {
      const m = slot(state, "m");
      return p.map((x, i) => x - lr * Math.sign((m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!)));
    },
    Lion: (p, g, _, state) => {
      const m = slot(state, "m");
      return p.map((x, i) => {
        const c = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        m[i] = 0.99 * m[i]! + (1 - 0.99) * g[i]!;
        return x - lr * Math.sign(c);
      });
    },
    AdaBelief: (p, g, t, state) => {
      const [m, s] = [slot(state, "m"), slot(state, "s")];
      return p.map((x, i) => {
        m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        s[i] = 0.999 * s[i]! + (1 - 0.999) * (g[i]! - m[i]!) ** 2 + 1e-8;
        return x - ((lr / (1 - 0.9 ** t)) * m[i]!) / (Math.sqrt(s[i]! / (1 - 0.999 ** t)) + 1e-8);
      });
    },
    Yogi: (p, g, _, state) => {
      const [m, v] = [slot(state, "m"), slot(state, "v", 1e-6)];
      return p.map((x, i) => {
        const sq = g[i]! ** 2;
        m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        v[i] = v[i]! - (1 - 0.999) * Math.sign(v[i]! - sq) * sq;
        return x - (lr * m[i]!) / (Math.sqrt(v[i]!) + 1e-3);
      });
    },
    LAMB: (p, g, t, state) => {
      const [m, v] = [slot(state, "m"), slot(state, "v")];
      const r = p.map((x, i) => {
        m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        v[i] = 0.999 * v[i]! + (1 - 0.999) * g[i]! ** 2;
        const step = m[i]! / (1 - 0.9 ** t) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-6);
        return step + 0.01 * x;
      });
      const trust = Math.hypot(...p) / (Math.hypot(...r) + 1e-6);
      return p.map((x, i) => x - lr * trust * r[i]!);
    },
    "Cautious Adam": (p, g, t, state) => {
      const [m, v] = [slot(state, "m"), slot(state, "v")];
      const u = p.map((_, i) => {
        m[i] = 0.9 * m[i]! + (1 - 0.9) * g[i]!;
        v[i] = 0.999 * v[i]! + (1 - 0.999) * g[i]! ** 2;
        return m[i]! / (1 - 0.9 ** t) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
      });
      const keep = u.map((x, i) => (x * g[i]! > 0 ? 1 : 0));
      const kept = keep.reduce<number>((sum, x) => sum + x, 0);
      return p.map((x, i) => x - lr * (p.length / (kept + 1)) * keep[i]! * u[i]!);
    },
  };

  test("each of those that are not Downhill's is checked here", () => {
    expect(Object.keys(loops).toSorted()).toEqual(others.map(({ label }) => label).toSorted());
  });

  test.each(Object.entries(loops))("%s takes the steps of a loop by hand", (label, loop) => {
    const w = parameter(new Float64Array([1.5, -2, 0.25]));
    const optimizer = new Optimizer(parseRule(textOf(label)), [w], { lr });
    let p = [...w.data];
    const state: Record<string, number[]> = {};
    for (let t = 1; t <= 40; t++) {
      // Gradients that change their signs, each at its own time.
      const g = p.map((x, i) => Math.sin(x + t * (i + 1)) + 0.3);
      w.grad = g;
      optimizer.step();
      p = loop(p, g, t, state);
      for (const [i, x] of p.entries()) expect(Math.abs(w.data[i]! - x)).toBeLessThan(1e-12);
    }
  });
});

describe("the address", () => {
  const rule = "# a = b & c\nk = 0.5 in [0, 1)\nif k > 0: g = g + 1e-3 * p\np = p - lr * k * g%";
  test("carries any text, and what is set", () => {
    const state = { ...usual, rule, tab: "wgsl", step: 7, surface: "beale" } as const;
    const there = new URLSearchParams(writeState(state).toString());
    expect(readState(there, fieldsIn)).toEqual(state);
    const right = rule.replace("%", "");
    const set = { ...state, rule: right, changes: { lr: 0.5, k: 0.25 } };
    expect(readState(new URLSearchParams(writeState(set).toString()), fieldsIn)).toEqual(set);
    expect(writeState(usual).toString()).toBe("");
  });

  test("leaves out what makes no sense", () => {
    const query = "tab=c&step=-3&surface=moon&yours.k=2&yours.b1=x&adam.b1=0.5";
    expect(readState(new URLSearchParams(query), fieldsIn)).toEqual({ ...usual, step: 1 });
  });
});

test("what was set of a rule stays as far as the rule still has it", () => {
  const changes = { lr: 1, b1: 0.5, k: 2 };
  expect(fitting(parseRule("p = p - lr * b1 * g"), changes)).toEqual({ lr: 1, b1: 0.5 });
  expect(fitting(parseRule("k = 1\np = p - k * g"), changes)).toEqual({ k: 2 });
});

test("names in scope, by what they are", () => {
  const rule = parseRule(
    "betas = (b1 = 0.9, b2 = 0.99)\nab = (0.1, 0.2)\nstate m as mean\nnumber c = 1\n\n" +
      "m = ema(m, g, b1)\nc = c * ab[1]\nd = m / c\np = p - lr * d",
  );
  const { given, state, hyper, local } = namesOf(rule);
  const list = (names: readonly { name: string; about: string }[]) =>
    names.map(({ name, about }) => `${name}: ${about}`);
  expect(list(given)).toEqual([
    "p: the parameter",
    "g: its gradient",
    "t: the count of its steps, from 1",
  ]);
  expect(list(state)).toEqual(["m: remembered, as mean", "c: remembered from step to step"]);
  expect(list(hyper)).toEqual([
    "b1: of betas, 0.9",
    "b2: of betas, 0.99",
    "ab[0]: of ab, 0.1",
    "ab[1]: of ab, 0.2",
    "lr: a hyperparameter, 0.001",
  ]);
  expect(list(local)).toEqual(["d: has its value in this text"]);
});

describe("the editor", () => {
  /** A text whose selection stands between bars, after an edit. */
  function edited(
    marked: string,
    edit: (text: string, selection: Selection) => Edit | null,
  ): string {
    const parts = marked.split("|");
    const text = parts.join("");
    const from = parts[0]!.length;
    const made = edit(text, { from, to: parts.length > 2 ? from + parts[1]!.length : from });
    if (!made) return "as usual";
    const next = text.slice(0, made.from) + made.insert + text.slice(made.to);
    const { from: a, to: b } = made.select;
    return a === b
      ? `${next.slice(0, a)}|${next.slice(a)}`
      : `${next.slice(0, a)}|${next.slice(a, b)}|${next.slice(b)}`;
  }
  const into = (text: string, selection: Selection) => shift(text, selection, true);
  const out = (text: string, selection: Selection) => shift(text, selection, false);

  test.each([
    ["a new line", newLine, "a = 1|", "a = 1\n|"],
    ["a new line in a block", newLine, "if t > 1:\n  g = 2|\nb", "if t > 1:\n  g = 2\n  |\nb"],
    ["a new line after a colon", newLine, "  if t > 1: # so|", "  if t > 1: # so\n    |"],
    ["a new line in the place of a selection", newLine, "  a|bc|d", "  a\n  |d"],
    ["backspace in an indentation", unindent, "    |a", "  |a"],
    ["backspace in an odd indentation", unindent, "x\n   |a", "x\n  |a"],
    ["backspace behind a word", unindent, "  a|", "as usual"],
    ["backspace over a selection", unindent, "  |  |a", "as usual"],
    ["lines inwards", into, "a\nb|c\n\nd|\ne", "a\n  b|c\n\n  d|\ne"],
    ["one line outwards", out, "    a|b", "  a|b"],
    ["lines outwards", out, "|  a\n b\nc\n|d", "|a\nb\nc\n|d"],
  ] as const)("%s", (_, edit, before, after) => {
    expect(edited(before, edit)).toBe(after);
  });

  test("a name is put apart from words, a function with what it takes", () => {
    expect(edited("p = |", (text, at) => put(text, at, "lr"))).toBe("p = lr|");
    expect(edited("p = p|m", (text, at) => put(text, at, "lr"))).toBe("p = p lr| m");
    expect(edited("(|mm|)", (text, at) => put(text, at, "m"))).toBe("(m|)");
    expect(edited("m = |", (text, at) => put(text, at, "ema", "m, g, b1"))).toBe(
      "m = ema(|m, g, b1|)",
    );
  });

  test("colours and the mark, whatever the text", () => {
    const text = "m = ema(m, g, b1) # so\np = p - lr * mm ~ 1e-3";
    const names = namesOf(parseRule("m = ema(m, g, b1)\np = p - lr * m"));
    const place = placeOf(text, { line: 2, column: 14, length: 2 });
    const pieces = paint(text, names, place);
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    expect(pieces.filter((piece) => piece.wrong).map((piece) => piece.text)).toEqual(["mm"]);
    const looks = pieces.filter(({ paint: look }) => look !== "plain");
    expect(looks.map((piece) => `${piece.text} ${piece.paint}`)).toEqual([
      "m state",
      "ema function",
      "m state",
      "b1 hyper",
      "# so comment",
      "lr hyper",
      "1e-3 number",
    ]);
    // An error may begin and end inside of words, and go on beyond the line.
    const inside = paint("abc def", names, placeOf("abc def", { line: 1, column: 2, length: 99 }));
    expect(inside.filter((piece) => piece.wrong).map((piece) => piece.text)).toEqual([
      "bc",
      " ",
      "def",
    ]);
  });
});
