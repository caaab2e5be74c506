/** Memory comes back: optimizers made one after another over the same parameters share it. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Adam, parameter, SGD } from "../src/index.ts";

test("regions of a dropped optimizer serve the next one, zero all over", async () => {
  const w = parameter({ shape: [100_000], name: "w" });
  const optimizer = new Adam([w], { lr: 0 });
  const { arena } = w.home!;
  for (let round = 0; round < 200; round++) {
    // Out of this function's reach at once, so that it can be collected.
    (() => {
      const other = round % 2 === 0 ? new Adam([w], { lr: 0.01 }) : new SGD([w], { momentum: 0.5 });
      expect(other.stateDict().state).toEqual({});
      w.data = new Float32Array(100_000);
      w.ensureGrad({ zero: false }).fill(1);
      other.step();
      expect(w.data[99_999]).toBeCloseTo(round % 2 === 0 ? -0.01 : -0.001, 6);
    })();
    if (round % 10 === 9) {
      globalThis.gc!();
      await setTimeout(1); // finalizers run between tasks
    }
  }
  // 200 optimizers of 1.5 regions of 0.4 MB would be 120 MB.
  expect(arena.buffer.byteLength).toBeLessThan(20e6);
  optimizer.step();
  expect(Object.keys(optimizer.stateDict().state)).toEqual(["w"]);
});
