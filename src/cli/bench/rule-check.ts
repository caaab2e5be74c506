// Whether rules keep up with Adam.

import type { Check, CheckContext } from "./check.ts";
import { adamBeside, plans } from "../../bench/downhill.ts";
import { compare } from "../../bench/measure.ts";
import { againstAdam } from "../../bench/rules-report.ts";
import { flat } from "../../bench/workload.ts";

/** Every rule that is one kernel moves as many bytes in a second as Adam, on all threads. */
export async function everyRule({ threads, sizes, say }: CheckContext): Promise<Check[]> {
  const checks: Check[] = [];
  const row = plans(threads).at(-1)!;
  const pair = [row, ...adamBeside([row])];
  const workload = flat(sizes.large);
  for (const optimizer of sizes.rules) {
    say(`${optimizer}: against Adam`);
    const comparison = await compare(pair, optimizer, workload, Math.ceil(sizes.rounds / 2));
    checks.push({
      title: `${optimizer}, ${workload.parameters} parameters, ${threads} threads: bytes per second against Adam's`,
      measured: againstAdam(comparison, row.key) ?? NaN,
      limit: 0.9,
      atLeast: true,
      unit: "times",
    });
  }
  return checks;
}
