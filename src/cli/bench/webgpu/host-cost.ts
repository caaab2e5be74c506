// What a step costs the CPU: recording and submitting it on a device that checks all and runs nothing, so
// that no GPU's work disturbs. That many tensors cost what one does is held against a figure.

import { isMet, type Check } from "../check.ts";
import type { BenchedOptimizer, Contender, Runner, Workload } from "../contender.ts";
import { describe, type Setting } from "../machine.ts";
import { compare, type Comparison } from "../measure.ts";
import { figure, markdownTable, terminalTable, type Cells } from "../table.ts";
import { flat } from "../workload.ts";
import { GpuClock, type GpuSteps } from "./clock.ts";
import { byHand, ours } from "./rows.ts";

export interface HostCost {
  readonly setting: Setting;
  readonly workload: Workload;
  readonly comparisons: readonly Comparison[];
  readonly checks: readonly Check[];
}

/** Many tensors may cost so many times as much as one. */
const LIMIT = 1.2;

/** @param workload many tensors; the one has as many elements. */
export async function hostCost(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
  rounds: number,
  say: (what: string) => void,
): Promise<{ comparison: Comparison; check: Check }> {
  const one = flat(workload.parameters);
  const clock = new GpuClock(device, false);
  const row = (key: string, label: string, make: () => GpuSteps | string): Contender => ({
    key,
    label,
    family: key === "written" ? "native" : "downhill",
    threads: 0,
    prepare: () => {
      const steps = make();
      return Promise.resolve(typeof steps === "string" ? steps : runnerOf(clock, steps));
    },
  });
  const rows = [
    row("one", "one tensor", () => ours(device, optimizer, one, {})),
    row("many", `${workload.sizes.length.toLocaleString("en-US")} tensors`, () =>
      ours(device, optimizer, workload, {}),
    ),
    row("written", "WGSL by hand", () => byHand(device, optimizer, one)),
  ];
  const comparison = await compare(rows, optimizer, workload, rounds, say);
  const medianOf = (key: string) => comparison.rows.find((found) => found.key === key)!.ms.median;
  const check = {
    title: `${optimizer}: recording and submitting a step of ${rows[1]!.label} against one of the same size`,
    measured: medianOf("many") / medianOf("one"),
    limit: LIMIT,
    atLeast: false,
    unit: "times",
  };
  return { comparison, check };
}

function runnerOf(clock: GpuClock, steps: GpuSteps): Runner {
  return {
    run: async (count) => {
      const { host } = await clock.timeCalls(() => steps.step(), count);
      return new Float64Array(count).fill(host);
    },
    close: () => Promise.resolve(),
  };
}

function cells({ comparisons, checks }: HostCost): Cells {
  const [first] = comparisons;
  return {
    head: [
      "us to record and submit a step",
      ...first!.rows.map(({ label }) => label),
      "many : one",
      "wanted",
      "",
    ],
    rows: comparisons.map(({ optimizer, rows }, i) => {
      const check = checks[i]!;
      return [
        optimizer,
        ...first!.rows.map(({ key }) => {
          const ms = rows.find((row) => row.key === key)?.ms;
          return ms
            ? `${figure(1000 * ms.median)} (${figure(1000 * ms.lower)} to ${figure(1000 * ms.upper)})`
            : "";
        }),
        figure(check.measured),
        `at most ${figure(check.limit)}`,
        isMet(check) ? "kept" : "NOT KEPT",
      ];
    }),
  };
}

const about = ({ workload }: HostCost): string =>
  `${workload.title}: ${workload.parameters} parameters. Dawn checks and records all and runs nothing; in brackets quartiles.`;

export function terminalHostCost(found: HostCost): string {
  return [terminalTable(cells(found)), about(found), describe(found.setting)].join("\n\n");
}

export function markdownHostCost(found: HostCost): string {
  const { command, date } = found.setting;
  const how = `\`${command}\`, ${date}.`;
  return `${[how, markdownTable(cells(found)), about(found), describe(found.setting)].join("\n\n")}\n`;
}
