/** Memory comes back: optimizers made one after another over the same parameters share it. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Adam, parameter, SGD, type Parameter } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";

/** After a collection and the finalizers that it calls for, which run when the engine has time. */
async function collected(): Promise<void> {
  let call!: () => void;
  const called = new Promise<void>((resolve) => (call = resolve));
  const registry = new FinalizationRegistry(() => call());
  registry.register({}, null);
  await setTimeout(1); // lets go of the object
  globalThis.gc!();
  await called;
  registry.unregister(registry); // a registry that is dropped itself calls nobody
  await setTimeout(1);
}

/** Makes and drops optimizers over `w`, and lets the collector run now and then. */
async function makeMany(
  w: Parameter,
  rounds: number,
  use: (round: number) => void,
): Promise<number> {
  for (let round = 0; round < rounds; round++) {
    use(round); // what it makes is out of reach at once
    if (round % 10 === 9) {
      await collected();
      await collected(); // the arena's finalizers may come after those of the first round
    }
  }
  return w.home!.arena.buffer.byteLength;
}

test("regions of a dropped optimizer serve the next one, zero all over", async () => {
  const w = parameter({ shape: [100_000], name: "w" });
  const optimizer = new Adam([w], { lr: 0 });
  const bytes = await makeMany(w, 200, (round) => {
    const other = round % 2 === 0 ? new Adam([w], { lr: 0.01 }) : new SGD([w], { momentum: 0.5 });
    expect(other.stateDict().state).toEqual({});
    w.data = new Float32Array(100_000);
    w.ensureGrad({ zero: false }).fill(1);
    other.step();
    expect(w.data[99_999]).toBeCloseTo(round % 2 === 0 ? -0.01 : -0.001, 6);
  });
  // 200 optimizers of 1.5 regions of 0.4 MB would be 120 MB.
  expect(bytes).toBeLessThan(20e6);
  optimizer.step();
  expect(Object.keys(optimizer.stateDict().state)).toEqual(["w"]);
});

test("so do the temporaries of an uncompiled one", async () => {
  const w = parameter({ shape: [100_000], name: "w" });
  w.ensureGrad();
  const bytes = await makeMany(w, 100, () => new Adam([w], { compile: false }).step());
  expect(bytes).toBeLessThan(20e6);
});

test("nothing keeps the memory of a dropped optimizer and its parameters", async () => {
  const arena = (() => {
    const w = parameter({ shape: [1000], name: "w" });
    w.ensureGrad();
    new Adam([w]).step();
    return new WeakRef(w.home!.arena);
  })();
  await setTimeout(1);
  globalThis.gc!();
  expect(arena.deref()).toBeUndefined();
});

test("ten thousand groups and a hundred thousand parameters are just many", () => {
  const many = Array.from({ length: 130_000 }, () => parameter([1]));
  const optimizer = new Adam(many, { lr: 0.5 });
  for (const each of many) each.grad = [1];
  optimizer.step();
  expect(many.every((each) => Math.abs(each.data[0]! - 0.5) < 1e-6)).toBe(true);
  const groups = new SGD(many.slice(0, 10_000).map((w) => ({ params: [w], lr: 0.25 })));
  groups.step();
  groups.step();
  expect(many[9_999]!.data[0]).toBeCloseTo(0, 6);
  groups.loadStateDict(groups.stateDict());
});

test("state takes room for the optimizer's own parameters, not for all of the arena", () => {
  const many = Array.from({ length: 64 }, (_, i) => parameter({ shape: [10_000], name: `w${i}` }));
  new SGD(many);
  const { arena } = many[0]!.home!;
  const before = arena.buffer.byteLength;
  for (const w of many) w.ensureGrad().fill(1);
  for (const w of many) new Adam([w], { lr: 0.5 }).step();
  expect(many.every((w) => w.data.every((value) => Math.abs(value + 0.5) < 1e-6))).toBe(true);
  // Two regions of 40 kB for each, and some room for kernels.
  expect(arena.buffer.byteLength - before).toBeLessThan(64 * 100_000);
});

test.each(ways)("state moves along when a group reaches farther, on $name", ({ options }) => {
  const create = () => {
    const all = [5, 70, 3, 200].map((size, i) => parameter({ shape: [size], name: `w${i}` }));
    new SGD(all); // one arena for all
    return all;
  };
  const train = (optimizer: Adam, all: readonly Parameter[], from: number, to: number): void => {
    for (let step = from; step < to; step++) {
      all.forEach((w, i) => (w.grad = w.data.map((x, k) => x + Math.sin(k + i * step))));
      optimizer.step();
    }
  };
  const [late, early] = [create(), create()];
  const grown = new Adam([late[1]!], options);
  train(grown, [late[1]!], 0, 3);
  grown.addParamGroup({ params: [late[0]!, late[3]!] });
  train(grown, [late[1]!, late[0]!, late[3]!], 3, 6);
  const apart = [new Adam([early[1]!], options), new Adam([early[0]!, early[3]!], options)];
  train(apart[0]!, [early[1]!], 0, 3);
  for (let step = 3; step < 6; step++) {
    train(apart[0]!, [early[1]!], step, step + 1);
    [early[0]!, early[3]!].forEach((w, i) => {
      w.grad = w.data.map((x, k) => x + Math.sin(k + (i + 1) * step));
    });
    apart[1]!.step();
  }
  expect(late.map((w) => [...w.data])).toEqual(early.map((w) => [...w.data]));
});
