// What a step costs the CPU: recording and submitting it on a device that checks all and runs nothing, so
// that no GPU's work disturbs. That many tensors cost what one does is held against a figure.

import { isMet, type Check } from "../check.ts";
import type { BenchedOptimizer, Contender, Runner, Workload } from "../../../bench/contender.ts";
import { describe, type Setting } from "../machine.ts";
import { compare, inWords, type Comparison } from "../../../bench/measure.ts";
import { figure, markdownTable, type Cells } from "../../../bench/table.ts";
import { terminalTable } from "../terminal-table.ts";
import { flat } from "../../../bench/workload.ts";
import { GpuClock, type GpuSteps } from "../../../bench/webgpu/clock.ts";
import { byHand, ours } from "../../../bench/webgpu/rows.ts";

export interface HostCost {
  readonly setting: Setting;
  readonly workload: Workload;
  readonly comparisons: readonly Comparison[];
  readonly checks: readonly Check[];
}

/** Many tensors may cost so many times as much as one. */
const LIMIT = 1.2;

/** So many times all is measured, from setting up on; the one in the middle counts. */
const TIMES = 3;

/** @param workload many tensors; the one has as many elements. */
export async function hostCost(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
  rounds: number,
  say: (what: string) => void,
): Promise<{ comparison: Comparison; check: Check }> {
  const rows = hostRows(device, optimizer, workload);
  const found: { readonly comparison: Comparison; readonly ratio: number }[] = [];
  for (let time = 0; time < TIMES; time++) {
    const comparison = await compare(
      rows,
      optimizer,
      workload,
      Math.ceil(rounds / 2),
      inWords(say),
    );
    const [one, many] = comparison.rows.map(({ ms }) => ms.median);
    found.push({ comparison, ratio: many! / one! });
  }
  const { comparison, ratio } = found.toSorted((a, b) => a.ratio - b.ratio)[TIMES >> 1]!;
  const check = {
    title: `${optimizer}: recording and submitting a step of ${rows[1]!.label} against one of the same size`,
    measured: ratio,
    limit: LIMIT,
    atLeast: false,
    unit: "times",
  };
  return { comparison, check };
}

/** One tensor, many, and by hand. */
function hostRows(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
): readonly Contender[] {
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
  const count = workload.sizes.length.toLocaleString("en-US");
  return [
    row("one", "one tensor", () => ours(device, optimizer, one, {})),
    row("many", `${count} tensors`, () => ours(device, optimizer, workload, {})),
    row("written", "WGSL by hand", () => byHand(device, optimizer, one)),
  ];
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
