/**
 * A parameter that is too large for 32-bit addresses goes into a memory with 64-bit ones, where the
 * engine has them, with the same bits; else it is refused before anything moves. "Too large" are some
 * kilobytes here, but one test goes beyond 4 GiB: of memory that is never touched, nothing is used.
 */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Adam, BackendError, foreach, parameter, SGD } from "../src/index.ts";
import type { Optimizer, Parameter } from "../src/index.ts";
import { Arena, limits, wideLimit } from "../src/memory/arena.ts";
import { arenasOf, PAGE, parametersOf, stepNoisily, train } from "./helpers/arenas.ts";
import { ways } from "./helpers/backends.ts";
import { expectUnchanged, imprint } from "./helpers/bits.ts";
import { refusals } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, type RuleCase } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const usual = { ...limits };
/** Whether this engine has memory64. Where it has not, what needs it has to be refused. */
const knowsWide = wideLimit() > 0;

afterEach(() => {
  Object.assign(limits, usual);
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const codeOf = (error: unknown): string => (error as BackendError).code;

interface Trained {
  readonly optimizer: Optimizer;
  readonly all: Parameter[];
}

function trained(ruleCase: RuleCase, options?: object): Trained {
  const all = parametersOf([5, 9001, 70]);
  return { optimizer: train(ruleCase, all, options), all };
}

/** Runs where the limit of usual memories is two pages. */
function expectSameBits(run: () => Trained, expected: object): void {
  limits.narrow = 2 * PAGE;
  if (!knowsWide) {
    expect(run).toThrow(BackendError);
    return;
  }
  const { optimizer, all } = run();
  expect(arenasOf(all).some(({ wide }) => wide)).toBe(true);
  expect(imprint(optimizer, all)).toEqual(expected);
}

describe.each(ruleCases)("the bits of 32-bit addresses: $title", (ruleCase) => {
  let expected: object;
  beforeAll(() => {
    const { optimizer, all } = trained(ruleCase);
    expected = imprint(optimizer, all);
  });

  test.each(ways)("on $name", ({ options }) => {
    expectSameBits(() => trained(ruleCase, options), expected);
  });
});

describe("in a wide memory", () => {
  /** Trains in usual memories and in wide ones, and goes on. */
  const expectAlike = (later: (optimizer: Optimizer, all: Parameter[]) => void): void => {
    const run = (): Trained => {
      const all = noisyParameters([9001, 3]);
      const optimizer = train(adam, all);
      later(optimizer, all);
      return { optimizer, all };
    };
    const { optimizer, all } = run();
    expectSameBits(run, imprint(optimizer, all));
  };
  const adam = ruleCases.find(({ title }) => title.startsWith("AdamW"))!;

  test("there is room for another optimizer over the same parameter", () => {
    expectAlike((_, all) => {
      const other = new SGD(all, { momentum: 0.9 });
      new Adam(all, { amsgrad: true, compile: false }).step();
      for (let step = 0; step < 3; step++) stepNoisily(other, all, step);
    });
  });

  test("list operations work", () => {
    expectAlike((_, all) => {
      const [norm] = foreach.norm(all);
      foreach.mul(all, 1 / norm!);
      foreach.add(
        all,
        all.map((p) => p.grad!),
      );
    });
  });

  test("state dicts are as anywhere", () => {
    expectAlike((optimizer, all) => {
      const dict = optimizer.stateDict();
      stepNoisily(optimizer, all, 9);
      optimizer.loadStateDict(dict);
      stepNoisily(optimizer, all, 10);
    });
  });

  test("which is not shared", () => {
    const { Memory } = WebAssembly;
    function Unshared(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
      if (descriptor.shared) throw new TypeError("shared memory is disabled");
      return new Memory(descriptor);
    }
    Unshared.prototype = Memory.prototype;
    vi.stubGlobal("WebAssembly", Object.create(WebAssembly, { Memory: { value: Unshared } }));
    expectAlike((_, all) => {
      expect(arenasOf(all).every(({ shared }) => !shared)).toBe(true);
      const other = new SGD(all, { momentum: 0.9 });
      for (let step = 0; step < 3; step++) stepNoisily(other, all, step);
    });
  });

  test.each(ruleCases)("threads share in it, $title", async ({ create }) => {
    const run = async (threads: number): Promise<unknown> => {
      const pool = new Pool({ worthWaking: 0 });
      try {
        const all = noisyParameters([[403, 499]]);
        const optimizer = create(all, { backend: new WasmBackend(true, pool), threads });
        expect(all[0]!.home!.arena.wide).toBe(limits.narrow < usual.narrow);
        for (let step = 0; step < 4; step++) {
          stepNoisily(optimizer, all, step + 2);
          await untilReady(pool, threads - 1);
        }
        expect(pool.jobs > 0).toBe(threads > 1);
        return imprint(optimizer, all);
      } finally {
        pool.end();
      }
    };
    const expected = knowsWide ? await run(1) : "OUT_OF_MEMORY";
    limits.narrow = 2 * PAGE;
    for (const threads of [1, 3]) {
      expect(await run(threads).catch(codeOf)).toEqual(expected);
    }
  });
});

/** Puts parameters into an arena so that their data or gradients begin at a given address. */
function placeAt(arena: Arena, address: number, all: readonly Parameter[]): void {
  const bytes = all.reduce((sum, { size }) => sum + Math.ceil(size / 16) * 64, 0);
  const dataRegion = arena.allocate(0);
  arena.allocate(address - dataRegion);
  const home = { arena, dataRegion: arena.allocate(bytes), gradRegion: arena.allocate(bytes) };
  let offset = 0;
  for (const p of all) {
    p.moveTo({ ...home, offset });
    offset += Math.ceil(p.size / 16) * 16;
  }
}

describe("beyond 4 GiB", () => {
  const sizes = [1000, 5, 3001];
  test.each([
    ["above", 2 ** 32 + PAGE],
    ["across", 2 ** 32 - 6016],
  ])("the same bits %s the border, for every rule on every way", (where, address) => {
    const addressed = (): void => {
      for (const ruleCase of ruleCases) {
        const near = noisyParameters(sizes);
        const expected = imprint(train(ruleCase, near), near);
        for (const { options } of ways) {
          const far = noisyParameters(sizes);
          placeAt(new Arena("float32", 0, true), address, far);
          const optimizer = train(ruleCase, far, options);
          const { byteOffset, byteLength } = far[2]!.data;
          expect(byteOffset < 2 ** 32).toBe(where === "across");
          expect(byteOffset + byteLength).toBeGreaterThan(2 ** 32);
          expect(imprint(optimizer, far)).toEqual(expected);
        }
      }
    };
    if (knowsWide) addressed();
    else expect(addressed).toThrow(BackendError);
  });
});

describe("where no memory can serve", () => {
  const sizes = { narrow: 2 * PAGE, wide: 0 };
  const large = (size = 9000) => parameter({ shape: [size], name: "table" });

  test("it says what is too large, how large, and what to do", () => {
    Object.assign(limits, sizes);
    const normed = ruleCases.find(({ name }) => name === "Normed")!;
    expect(
      refusals({
        "the state of Adam in use": () => new Adam([large()]),
        "with amsgrad": () => new Adam([large()], { amsgrad: true }),
        "with amsgrad in another group": () =>
          new Adam([{ params: [parameter([1])], amsgrad: true }, { params: [large()] }]),
        "with temporaries": () => new SGD([large()], { compile: false }),
        "a rule of one's own": () => normed.create([large()]),
        "in float64": () => new SGD([parameter(new Float64Array(5000))], { momentum: 0.9 }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a rule of one's own": "BackendError OUT_OF_MEMORY: parameter "table": got 221.3 KiB for its data, its gradient and 2 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
        "in float64": "BackendError OUT_OF_MEMORY: parameter: got 193.8 KiB for its data, its gradient and 1 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
        "the state of Adam in use": "BackendError OUT_OF_MEMORY: parameter "table": got 221.3 KiB for its data, its gradient and 2 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
        "with amsgrad": "BackendError OUT_OF_MEMORY: parameter "table": got 260.5 KiB for its data, its gradient and 3 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
        "with amsgrad in another group": "BackendError OUT_OF_MEMORY: parameter "table": got 221.3 KiB for its data, its gradient and 2 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
        "with temporaries": "BackendError OUT_OF_MEMORY: parameter "table": got 182.1 KiB for its data, its gradient and 1 more of that size (state, temporaries), expected at most 128.0 KiB in one memory. Split the parameter, or take an optimizer with less state, or an engine with memory64, such as Node 24, Chrome 133, Firefox 134.",
      }
    `);
  });

  test("SGD without momentum fits where Adam does not", () => {
    Object.assign(limits, { narrow: 8 * PAGE, wide: 0 });
    const w = large(55_000);
    expect(() => new Adam([w])).toThrow(BackendError);
    const optimizer = new SGD([w], { lr: 1 });
    w.ensureGrad().fill(1);
    optimizer.step();
    expect(w.data[54_999]).toBe(-1);
    // Momentum has no room later: nothing has changed then.
    optimizer.paramGroups[0].momentum = 0.9;
    expectUnchanged(optimizer, [w], () => optimizer.step());
  });

  test("nothing has moved, and an optimizer that is there is as it was", () => {
    Object.assign(limits, sizes);
    const all = noisyParameters([5, 70]);
    const optimizer = train(ruleCases[0]!, all);
    const late = [parameter([1, 2], { name: "small" }), large()];
    const views = late.map(({ data }) => data);
    expectUnchanged(optimizer, all, () => optimizer.addParamGroup({ params: late }));
    expect(views.map(({ length }) => length)).toEqual([2, 9000]);
    expect(late.map(({ home }) => home)).toEqual([null, null]);
  });

  test("and one that is wide can be too small as well", async () => {
    vi.stubGlobal("WebAssembly", undefined); // the interpreter's memory is as large as it is let
    vi.resetModules();
    const library = await import("../src/index.ts");
    const arena = await import("../src/memory/arena.ts");
    Object.assign(arena.limits, { narrow: 2 * PAGE, wide: 6 * PAGE });
    const [fitting, tooLarge] = [10_000, 30_000].map((size) =>
      library.parameter({ shape: [size], name: `w${size}` }),
    );
    const optimizer = new library.Adam([fitting!], { lr: 0.5 });
    expect(optimizer.backend).toBe("interp");
    expect(fitting!.home!.arena.wide).toBe(true);
    fitting!.ensureGrad().fill(1);
    optimizer.step();
    expect(fitting!.data[9999]).toBeCloseTo(-0.5, 6);
    optimizer.paramGroups[0].amsgrad = true;
    optimizer.step();
    new library.SGD([fitting!], { momentum: 0.9 }).step(); // grows
    expect(() => new library.Adam([tooLarge!])).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: parameter "w30000": got 550.6 KiB for its data, its gradient and 2 more of that size (state, temporaries), expected at most 384.0 KiB in one memory. Split the parameter, or take an optimizer with less state.]`,
    );
  });
});

describe("whether there are wide memories", () => {
  test("is found by making one", () => {
    const address = (descriptor: { readonly address?: string }) => descriptor.address;
    const { Memory } = WebAssembly;
    const spy = vi.spyOn(WebAssembly, "Memory").mockImplementation(function (descriptor) {
      if (address(descriptor) === "i64") throw new TypeError("initial is a BigInt");
      return new Memory(descriptor);
    });
    expect(wideLimit()).toBe(0);
    spy.mockImplementation(function (descriptor) {
      const { initial, maximum } = descriptor as unknown as Record<string, bigint>;
      expect([address(descriptor), initial, maximum]).toEqual(["i64", 1n, 262_144n]);
      return new Memory({ initial: Number(initial) });
    });
    expect(wideLimit()).toBe(2 ** 34);
    limits.wide = 0;
    expect(wideLimit()).toBe(0);
  });
});
