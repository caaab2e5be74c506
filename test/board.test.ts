/** A worker that looks in when the job is closed is not lost, whenever the main thread looks. */
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { Board } from "../src/backend/threads/board.ts";
import { CONTROL_BYTES, controlLayout as layout } from "../src/backend/threads/worker.ts";

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
