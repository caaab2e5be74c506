/** Waiting for worker threads. */
import type { Pool } from "../../src/backend/threads/pool.ts";

/** Until workers are ready for what was last asked of them. */
export async function untilReady(pool: Pool, count: number): Promise<void> {
  for (let tries = 0; pool.ready < count; tries++) {
    if (tries > 5000) throw new Error(`${pool.ready} of ${count} workers are ready`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
