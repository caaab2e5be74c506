/**
 * Worker threads share in large steps: the same bits from any number of them, none woken for little,
 * and none missed for long when it dies.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as workerThreads from "node:worker_threads";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { Pool, type PoolOptions } from "../src/backend/threads/pool.ts";
import { nodeText, spawnInNode } from "../src/backend/threads/spawn.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Adam, BackendError, parameter, type Optimizer } from "../src/index.ts";
import { bits } from "./helpers/bits.ts";
import { bundle } from "./helpers/bundle.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const pools: Pool[] = [];
function poolOf(options: PoolOptions = {}): Pool {
  const pool = new Pool({ worthWaking: 0, ...options });
  pools.push(pool);
  return pool;
}
afterEach(() => {
  for (const pool of pools.splice(0)) pool.end();
});

describe("the same bits from 1, 2, 3 and 7 threads", () => {
  // Ranges that end anywhere, with gaps between them; more than one block of a reduction.
  const sizes = [70_001, 5, 131_073, 64, 1, 65_536];

  // Workers take longer to start than all steps of a rule: one rule after the other steps the same
  // parameters, whose memory the workers know.
  const crews = [1, 2, 3, 7].map((threads) => {
    const pool = new Pool({ worthWaking: 0 });
    return { threads, pool, backend: new WasmBackend(true, pool), all: noisyParameters(sizes) };
  });
  const start = noisyParameters(sizes).map(({ data }) => data);
  afterAll(() => {
    for (const { pool } of crews) pool.end();
  });

  test.each(ruleCases)("$title", async ({ create }) => {
    const results: string[][] = [];
    for (const { threads, pool, backend, all } of crews) {
      all.forEach((p, i) => (p.data = start[i]!));
      const optimizer = create(all, { backend, threads });
      for (let step = 0; step < 5; step++) {
        setNoisyGrads(all, step);
        if (step > 0) all[3]!.grad = null;
        const held = pool.jobs;
        optimizer.step();
        // The first step starts the workers or hands them its kernels, the second does that for those
        // that have just started; ASGD has others from the third on.
        if (threads > 1) await untilReady(pool, threads - 1);
        if (threads > 1 && step === 4) expect(pool.jobs).toBeGreaterThan(held);
      }
      expect(pool.size).toBe(threads - 1);
      results.push(all.map((p) => bits(p.data)));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[3]).toEqual(results[0]);
  });

  test("more ranges than fit into one job", async () => {
    const run = async (threads: number): Promise<string[]> => {
      const pool = poolOf();
      const all = noisyParameters(Array.from({ length: 10_000 }, (_, i) => 1 + (i % 70)));
      const optimizer = new Adam(all, { backend: new WasmBackend(true, pool), threads });
      for (let step = 0; step < 3; step++) {
        setNoisyGrads(all, step);
        all.forEach((p, i) => i % 2 === 1 && (p.grad = null));
        optimizer.step();
        if (threads > 1) await untilReady(pool, threads - 1);
      }
      expect(pool.jobs).toBe(threads > 1 ? 4 : 0); // two in each step but the first
      return all.map((p) => bits(p.data));
    };
    expect(await run(3)).toEqual(await run(1));
  });
});

describe("workers come and go", () => {
  const steps = (optimizer: Optimizer, count: number): void => {
    for (let i = 0; i < count; i++) optimizer.step();
  };
  const adam = (size: number, pool: Pool): Adam => {
    const w = parameter({ shape: [size] });
    const optimizer = new Adam([w], { backend: new WasmBackend(true, pool), threads: 2 });
    w.ensureGrad().fill(1);
    return optimizer;
  };

  test("none for a step of 10,000 parameters", () => {
    const pool = poolOf({ worthWaking: 7e6 });
    steps(adam(10_000, pool), 2000);
    expect([pool.size, pool.jobs]).toEqual([0, 0]);
  });

  test("one for a large step, until its last user lets go", async () => {
    const pool = poolOf();
    const [one, other] = [adam(1 << 18, pool), adam(1 << 18, pool)];
    steps(one, 1);
    steps(other, 1);
    await untilReady(pool, 1);
    one.dispose();
    expect(pool.size).toBe(1);
    other.dispose();
    other.dispose();
    expect(pool.size).toBe(0);
    steps(other, 1);
    expect(pool.size).toBe(1);
  });

  test("what threads may not be", () => {
    const w = parameter([1]);
    const said = [0, 1.5, 65, NaN, "2"].map((threads) => {
      try {
        return new Adam([w], { threads } as never);
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(said).toEqual(
      ["0", "1.5", "65", "NaN", '"2"'].map(
        (got) => `Adam: threads: got ${got}, expected a whole number from 1 to 64.`,
      ),
    );
  });

  test("none where no thread can be started", () => {
    const failing = (): never => {
      throw new Error("forbidden");
    };
    for (const spawn of [null, failing]) {
      const pool = poolOf({ spawn });
      const optimizer = adam(1 << 18, pool);
      steps(optimizer, 2);
      expect(pool.size).toBe(0);
    }
  });

  test("a program ends by itself", async () => {
    const folder = mkdtempSync(join(tmpdir(), "downhill-"));
    try {
      const file = join(folder, "program.mjs");
      const code = await bundle(`
        import { parameter, SGD } from "downhill";
        const threads = process.getBuiltinModule("node:worker_threads");
        threads.Worker = class extends threads.Worker {
          constructor(...options) {
            super(...options);
            console.log("a worker");
          }
        };
        const w = parameter({ shape: [1 << 21] });
        const optimizer = new SGD([w], { threads: 2 });
        w.ensureGrad();
        const until = performance.now() + 300;
        while (performance.now() < until) optimizer.step();
        globalThis.kept = optimizer; // or its worker would end with it
        console.log("done");
      `);
      writeFileSync(file, code);
      const { status, stdout } = spawnSync(process.execPath, [file], {
        encoding: "utf8",
        timeout: 20_000,
      });
      expect([status, stdout]).toEqual([0, "a worker\ndone\n"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** A worker that dies in the middle of the `nth` chunk that it runs, in one of three ways. */
function deadly(nth: number, way: "throw" | "exit" | "hang"): string {
  const dying = {
    throw: 'throw new Error("out of memory")',
    exit: "process.exit(1)",
    hang: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  }[way];
  return `
    const { Instance } = WebAssembly;
    let left = ${nth};
    WebAssembly.Instance = function (module, imports) {
      const { run } = new Instance(module, imports).exports;
      return {
        exports: {
          run(block, begin, end) {
            if (--left === 0) {
              run(block, begin, Math.floor((begin + end) / 2));
              ${dying};
            }
            run(block, begin, end);
          },
        },
      };
    };
    ${nodeText()}`;
}

describe("a worker's death in the middle of a step", () => {
  const DEATHS = process.env["DOWNHILL_REQUIRE_ALL"] ? 1000 : 100;

  test(`${DEATHS} deaths, as many errors, no hang`, async () => {
    let deaths = 0;
    const ways = ["throw", "exit", "throw", "exit", "hang"] as const;
    const pool = poolOf({
      patienceMs: 20,
      spawn: (onEnd) =>
        spawnInNode(workerThreads, onEnd, deadly(1 + (deaths % 3), ways[deaths % 5]!)),
    });
    const w = parameter({ shape: [1 << 18] });
    const optimizer = new Adam([w], { backend: new WasmBackend(true, pool), threads: 2 });
    w.ensureGrad().fill(1);
    optimizer.step();
    const [values, state] = [w.data.slice(), optimizer.stateDict()];
    const refused = (act: () => void): string => {
      try {
        act();
      } catch (error) {
        expect(error).toBeInstanceOf(BackendError);
        return (error as BackendError).code;
      }
      return "";
    };
    while (deaths < DEATHS) {
      await untilReady(pool, 1);
      const code = refused(() => optimizer.step());
      if (code === "") continue; // it had not come to its last chunk
      expect(code).toBe("WORKER_DIED");
      deaths++;
      if (deaths % 50 === 0) {
        expect(refused(() => optimizer.step())).toBe("NEEDS_RELOAD");
        expect(refused(() => optimizer.stateDict())).toBe("NEEDS_RELOAD");
      }
      w.data = values;
      optimizer.loadStateDict(state);
      optimizer.step(); // alone, and starts another worker
    }
    expect(deaths).toBe(DEATHS);
  }, 300_000);

  test("what it says", async () => {
    const pool = poolOf({
      spawn: (onEnd) => spawnInNode(workerThreads, onEnd, deadly(1, "throw")),
    });
    const w = parameter({ shape: [1 << 20] });
    const optimizer = new Adam([w], { backend: new WasmBackend(true, pool), threads: 2 });
    w.ensureGrad().fill(1);
    const said: string[] = [];
    for (let step = 0; step < 1000 && said.length < 2; step++) {
      try {
        optimizer.step();
        await untilReady(pool, 1);
      } catch (error) {
        said.push((error as Error).message);
      }
    }
    expect(said).toMatchInlineSnapshot(`
      [
        "threads: got a worker thread that ended, or stood still, in the middle of a step, expected workers that live as long as the program. Part of the parameters and of the state is updated and part is not: load both from the last copy you have. Was the program short of memory? { threads: 1 } does without workers.",
        "Adam: got an optimizer whose last step ended in the middle, expected one whose parameters and state have been loaded again. Copy the parameters of the last checkpoint in, then call loadStateDict().",
      ]
    `);
  });
});
