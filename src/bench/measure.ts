// Measures rows against one another: all are set up, warmed up until they are steady, and then take
// turns round by round in an order that rotates, so that whatever slows the machine for a while slows
// all of them alike.

import type { BenchedOptimizer, Contender, Family, Runner, Workload } from "./contender.ts";
import { agrees, summarize, type Summary } from "./statistics.ts";
import { subjectOf } from "./subject.ts";

/** What came out for one row. */
export interface Measured {
  readonly key: string;
  readonly label: string;
  readonly family: Family;
  readonly threads: number;
  /** Milliseconds of a step. */
  readonly ms: Summary;
  /** The same for other times of its steps, e.g. those that a GPU's own clock says. */
  readonly others?: Readonly<Record<string, Summary>>;
  readonly nanosecondsPerParameter: number;
  /** Bytes that a fused step must move, over the time that this one took. */
  readonly gigabytesPerSecond: number;
  /** Steps that were timed. */
  readonly steps: number;
  /** Whether both halves of the rounds say the same. */
  readonly steady: boolean;
}

/** A row that could not be measured, and why. */
export interface Missing {
  readonly key: string;
  readonly label: string;
  readonly reason: string;
}

export interface Comparison {
  readonly optimizer: BenchedOptimizer;
  readonly rows: readonly Measured[];
  readonly missing: readonly Missing[];
  /** What the memory can do: reading and writing in place in C, over as much memory. */
  readonly bandwidth?: { readonly threads: number; readonly gigabytesPerSecond: number };
}

/** Milliseconds that a row's turns take, about, and its warm-up at most. Tests have less patience. */
export const patience = { turn: 20, warmUp: 1500 };

/**
 * A row whose steps are longer than that sits rounds out, evenly, so that its turns take so many
 * milliseconds in all; but it takes some turns at least.
 */
const ROW_MS = 2000;
const TURNS = 5;
/** Rows of steps longer than this take fewer turns, but two. */
const LONG_MS = 1000;
/** A row whose steps are longer than this is left out. */
const STEP_MS = 15_000;

/** Where a comparison stands: at the warm-up of a row, or at one of its turns. */
export interface Stage {
  readonly optimizer: BenchedOptimizer;
  /** The row whose turn it is. */
  readonly label: string;
  /** From 1; 0 while rows are set up and warmed up. */
  readonly round: number;
  readonly rounds: number;
}

/**
 * Is told before each row's warm-up and turns how it stands, and is waited for: so what it does falls into
 * no measurement.
 */
export type Follow = (stage: Stage, soFar: () => Comparison) => void | Promise<void>;

/** For those who want to read it. */
export function inWords(say: (what: string) => void): Follow {
  return ({ optimizer, label, round, rounds }) =>
    say(`${optimizer}: ${round === 0 ? `${label}, warming up` : `round ${round} of ${rounds}`}`);
}

interface Ready {
  readonly contender: Contender;
  readonly runner: Runner;
  /** Steps in a turn. */
  steps: number;
  /** It takes part in every so manieth round. */
  every: number;
  /** The median of each turn. */
  readonly turns: number[];
  readonly others: Readonly<Record<string, number>>[];
}

export async function compare(
  contenders: readonly Contender[],
  optimizer: BenchedOptimizer,
  workload: Workload,
  rounds: number,
  follow: Follow = () => {},
): Promise<Comparison> {
  const missing: Missing[] = [];
  let ready: Ready[] = [];
  const drop = ({ key, label }: Contender, reason: string) => missing.push({ key, label, reason });
  const soFar = (): Comparison => {
    const measured = ready.filter(({ turns }) => turns.length > 0);
    const rows = measured.map((row) => resultOf(row, optimizer, workload));
    return { optimizer, rows, missing: [...missing] };
  };
  const tell = ({ label }: Contender, round: number) =>
    follow({ optimizer, label, round, rounds }, soFar);
  const turn = async (row: Ready, act: (row: Ready) => Promise<void>): Promise<void> => {
    try {
      await act(row);
    } catch (error) {
      drop(row.contender, (error as Error).message);
      ready = ready.filter((other) => other !== row);
      await row.runner.close();
    }
  };
  try {
    for (const contender of contenders) {
      await tell(contender, 0);
      const runner = await prepared(contender, optimizer, workload);
      if (typeof runner === "string") drop(contender, runner);
      else ready.push({ contender, runner, steps: 1, every: 1, turns: [], others: [] });
    }
    for (const row of ready.slice()) {
      await tell(row.contender, 0);
      await turn(row, (one) => warmUp(one, rounds));
    }
    for (let round = 0; round < rounds; round++) {
      const taking = ready.filter(({ every }) => round % every === 0);
      const order = taking.map((_, i) => taking[(i + round) % taking.length]!);
      for (const row of order) {
        await tell(row.contender, round + 1);
        await turn(row, takeTurn);
      }
    }
  } finally {
    for (const { runner } of ready) await runner.close();
  }
  return soFar();
}

/** The runner, or why there is none; one that memory does not suffice for is no reason to stop. */
async function prepared(
  contender: Contender,
  optimizer: BenchedOptimizer,
  workload: Workload,
): Promise<Runner | string> {
  try {
    return await contender.prepare(contender.instead ?? optimizer, workload);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Until two turns in a row take the same time within 5 %, or long enough. */
async function warmUp(row: Ready, rounds: number): Promise<void> {
  const until = performance.now() + patience.warmUp;
  let before = Infinity;
  while (performance.now() < until) {
    const { median } = summarize(await row.runner.run(row.steps));
    row.steps = Math.max(1, Math.min(50_000, Math.round(patience.turn / Math.max(median, 1e-4))));
    if (median > STEP_MS) {
      throw new Error(`not measured: a step takes ${(median / 1000).toFixed(1)} s`);
    }
    const turns = median > LONG_MS ? 2 : TURNS;
    row.every = Math.max(1, Math.floor(Math.min(rounds / turns, (rounds * median) / ROW_MS)));
    if (row.steps > 3 && Math.abs(median - before) < 0.05 * before) return;
    before = median;
  }
}

async function takeTurn(row: Ready): Promise<void> {
  row.turns.push(summarize(await row.runner.run(row.steps)).median);
  if (row.runner.others) row.others.push(row.runner.others());
}

/** What all turns have to say of each name. */
function summarizeEach(turns: Ready["others"]): Record<string, Summary> {
  const names = [...new Set(turns.flatMap((turn) => Object.keys(turn)))];
  const valuesOf = (name: string) => turns.flatMap((turn) => turn[name] ?? []);
  return Object.fromEntries(names.map((name) => [name, summarize(valuesOf(name))]));
}

function resultOf(row: Ready, optimizer: BenchedOptimizer, { parameters }: Workload): Measured {
  const { key, label, family, threads, instead = optimizer } = row.contender;
  const { bytes = subjectOf(instead).bytes * parameters } = row.contender;
  const ms = summarize(row.turns);
  return {
    key,
    label,
    family,
    threads,
    ms,
    ...(row.others.length > 0 && { others: summarizeEach(row.others) }),
    nanosecondsPerParameter: (ms.median * 1e6) / parameters,
    gigabytesPerSecond: bytes / (ms.median * 1e6),
    steps: row.steps * row.turns.length,
    steady: agrees(row.turns),
  };
}
