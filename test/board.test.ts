/** Jobs on the board: who is lost and who is not, and what the chunks of a job are. */
import { Worker } from "node:worker_threads";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xorshift128plus } from "pure-rand/generator/xorshift128plus";
import { afterEach, expect, test } from "vitest";
import { Board } from "../src/backend/threads/board.ts";
import { CONTROL_BYTES, controlLayout as layout, takePart } from "../src/backend/threads/worker.ts";

let worker: Worker | undefined;
afterEach(() => worker?.terminate());

test("a worker that comes and goes all the time", async () => {
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  const board = new Board(control, 2000);
  const line = layout.workers;
  const at = line + layout.worker.state;
  const code = `
    const { workerData: { control, at } } = require("node:worker_threads");
    const words = new Int32Array(control);
    for (let i = 1; ; i++) {
      Atomics.store(words, at, 1);
      Atomics.store(words, at, 0);
      if (i === 1) require("node:worker_threads").parentPort.postMessage("on");
    }`;
  worker = new Worker(code, { eval: true, workerData: { control, at } });
  await new Promise((resolve) => worker!.once("message", resolve));
  let lost = 0;
  for (let job = 0; job < 2000; job++) if (board.hold(() => {}, [line], 0) >= 0) lost++;
  expect(lost).toBe(0);
});

test("one that stays is lost, and so is one that died inside", () => {
  const board = new Board(new SharedArrayBuffer(CONTROL_BYTES), 20);
  const at = layout.workers + layout.worker.state;
  board.words[at] = 1;
  expect(board.hold(() => {}, [layout.workers], 0)).toBe(0);
  board.words[at] = layout.dead.inJob;
  expect(board.hold(() => {}, [layout.workers], 0)).toBe(0);
  board.words[at] = layout.dead.idle;
  expect(board.hold(() => {}, [layout.workers], 0)).toBe(-1);
});

test("chunks cover each range once, however many threads share it and whoever claims them", () => {
  const board = new Board(new SharedArrayBuffer(CONTROL_BYTES), 20);
  const numbers = new Float64Array(board.words.buffer);
  const draw = xorshift128plus(7);
  for (let round = 0; round < 400; round++) {
    const size = () => uniformInt(draw, 1, 10 ** (1 + (round % 6)));
    const ranges: number[] = [];
    for (let at = 5, r = 0; r <= round % 3; r++) {
      ranges.push(at, at + size());
      at = ranges.at(-1)! + 64;
    }
    const count = ranges.length / 2;
    const chunk = round % 4 === 0 ? 65_536 : 0;
    const job = { kernel: null!, run: () => {}, block: 8, stride: 0, chunk, bytesPerElement: 28 };
    const extent = board.place(ranges, 0, count);
    const shares = board.describe(job, 1, extent, count, round % 8) + 1;
    const done: [number, number][] = [];
    const collect = (_: number, begin: number, end: number) => void done.push([begin, end]);
    takePart(board.words, numbers, layout, round % shares, collect);
    done.sort((a, b) => a[0] - b[0]);
    // Neighbours join into the ranges again: nothing is missing, nothing came twice.
    const joined = done.reduce<number[]>((all, [begin, end]) => {
      if (all.at(-1) === begin) all[all.length - 1] = end;
      else all.push(begin, end);
      return all;
    }, []);
    expect(joined, `${extent} elements, ${shares} shares`).toEqual(ranges);
    if (chunk === 0) expect(done.length).toBeLessThan(40 * shares + 2 * count);
  }
});
