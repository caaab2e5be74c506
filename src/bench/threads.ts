// Rows on several threads that are measured only once these are there: workers start while a step is under
// way, and until they have, one thread does all the work.

import { sharedPool } from "../backend/threads/pool.ts";
import type { Contender, Runner } from "./contender.ts";

const PATIENCE_MS = 5000;
const PAUSE_MS = 5;

/** The row, once its workers are ready; or why it would be the one on one thread. */
export function onceThreadsAreReady(row: Contender): Contender {
  if (row.threads < 2) return row;
  return {
    ...row,
    prepare: async (optimizer, workload) => {
      const runner = await row.prepare(optimizer, workload);
      if (typeof runner === "string") return runner;
      const reason = await whyAlone(runner, row.threads);
      if (reason === null) return runner;
      await runner.close();
      return reason;
    },
  };
}

/** Takes steps until all workers are ready; `null` if they are. */
async function whyAlone(runner: Runner, threads: number): Promise<string | null> {
  const pool = sharedPool();
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until) {
    await runner.run(1);
    if (pool.size === 0)
      return "so small a step calls no other thread: it is the row on one thread";
    if (pool.ready >= threads - 1) return null;
    // Workers start only while nothing else runs here.
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  return `of ${threads - 1} threads ${pool.ready} have started`;
}
