/** What is set in the room and what was measured, as signals; and the way to the worker. */
import { batch, computed, signal } from "@preact/signals";
import { defaultThreads } from "../../../../src/backend/threads/pool.ts";
import type { Comparison, Stage } from "../../../../src/bench/measure.ts";
import { keepInAddress, writeHash } from "../../router.ts";
import { observe } from "./browser.ts";
import type { GoOn, Order, Report } from "./protocol.ts";
import type { Result } from "./report.ts";
import { chosenRows, readState, usual, writeState, type MeasureState } from "./state.ts";
import { needOf, rowsFor, workloadOf } from "./tasks.ts";

/** Threads that steps can use here: without shared memory there is one. */
export const threads: number = crossOriginIsolated ? defaultThreads() : 1;

export const state = signal<MeasureState>(usual);
export const rows = computed(() => rowsFor(state.value.optimizer, threads));
export const chosen = computed(() => chosenRows(state.value, threads));
export const need = computed(() => needOf(state.value.optimizer, state.value.task, chosen.value));
export const workload = computed(() => workloadOf(state.value.task));

/** Where the run stands; `null` where none is under way. */
export const stage = signal<Stage | null>(null);
/** Whether a run is under way; it has no stage until its worker is there. */
export const running = signal(false);
/** Of the run that is under way, or of the last one. */
export const result = signal<Result | null>(null);
/** Milliseconds until the run will be done, about; `null` as long as nobody can know. */
export const remaining = signal<number | null>(null);
/** What ended the last run, if it was not someone here. */
export const failure = signal<string | null>(null);

/** Where the same can be measured, also before the address bar says so. */
const addressOf = (now: MeasureState): string =>
  new URL(writeHash("measure", writeState(now)), location.href).href;

let worker: Worker | null = null;
/** When the first round began. */
let began = 0;

document.addEventListener("visibilitychange", () => {
  if (running.peek() && document.hidden) result.value = { ...result.value!, hidden: true };
});

/** Takes over what an address sets. */
export function enter(params: URLSearchParams): void {
  state.value = readState(params);
}

/** A run belongs to the room. */
export function leave(): void {
  stop();
}

export function change(patch: Partial<MeasureState>): void {
  state.value = { ...state.value, ...patch };
  keepInAddress("measure", writeState(state.value));
}

/** Adds a row or leaves it out. */
export function toggle(key: string): void {
  const now = chosen.value;
  const next = now.includes(key) ? now.filter((other) => other !== key) : [...now, key];
  change({ rows: rows.value.map((row) => row.key).filter((other) => next.includes(other)) });
}

export function start(): void {
  if (running.value || chosen.value.length === 0) return;
  const { optimizer, task, rounds } = state.value;
  const order: Order = { kind: "measure", optimizer, task, rows: chosen.value, rounds, threads };
  const empty: Comparison = { optimizer, rows: [], missing: [] };
  batch(() => {
    failure.value = null;
    stage.value = null;
    running.value = true;
    result.value = {
      order,
      setting: observe(addressOf(state.value)),
      ground: { backend: "wasm", resolution: 0, gpu: null },
      comparison: empty,
      differences: {},
      stoppedAt: null,
      hidden: document.hidden,
    };
  });
  worker = startWorker();
  // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
  worker.postMessage(order);
}

/** Ends the run, in the middle of whatever it does; what it has measured stays. */
export function stop(): void {
  if (!running.value) return;
  const taken = Math.max(0, (stage.value?.round ?? 0) - 1);
  const now = result.value!;
  batch(() => {
    finish();
    result.value = now.comparison.rows.length > 0 ? { ...now, stoppedAt: taken } : null;
  });
}

function finish(): void {
  worker?.terminate(); // and with it its threads, its memory and its GPU
  worker = null;
  running.value = false;
  stage.value = null;
  remaining.value = null;
}

function startWorker(): Worker {
  // In one piece, as bundlers know it.
  const started = new Worker(new URL("./measure.worker.ts", import.meta.url), {
    type: "module",
    name: "measure",
  });
  started.addEventListener("message", ({ data }: MessageEvent<Report>) => {
    if (started === worker) receive(data, started);
  });
  started.addEventListener("error", (event) => {
    if (started === worker) fail(event.message || "The worker that measures did not start.");
  });
  return started;
}

function fail(message: string): void {
  batch(() => {
    stop();
    failure.value = message;
  });
}

function receive(report: Report, from: Worker): void {
  if (report.kind === "failed") return fail(report.message);
  const { ground, comparison, differences } = report;
  batch(() => {
    result.value = { ...result.value!, ground, comparison, differences };
    if (report.kind === "stage") arriveAt(report.stage);
    else finish();
  });
  if (report.kind !== "stage") return;
  const goOn: GoOn = { kind: "go on" };
  // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
  afterPaint(() => from.postMessage(goOn));
}

function arriveAt(next: Stage): void {
  const { round, rounds } = next;
  if (stage.value?.round !== round) {
    if (round <= 1) began = performance.now();
    const each = (performance.now() - began) / (round - 1);
    remaining.value = round > 1 ? each * (rounds - round + 1) : null;
  }
  stage.value = next;
}

/** Pages that nobody sees are not painted. */
const PATIENCE = 200;

function afterPaint(act: () => void): void {
  let isDone = false;
  const once = (): void => {
    if (isDone) return;
    isDone = true;
    act();
  };
  requestAnimationFrame(() => setTimeout(once, 0));
  setTimeout(once, PATIENCE);
}
