/** What the room shows and what is set in it, as signals; and the way to the worker. */
import { batch, computed, signal } from "@preact/signals";
import { keepInAddress } from "../../router.ts";
import type { Value } from "../../ui/hyper.ts";
import { yours } from "../../ui/own-rule.ts";
import { save } from "../../ui/save.ts";
import { chosen, type Contestant } from "./contestants.ts";
import type {
  Entry,
  Fault,
  FileKind,
  Order,
  Place,
  Report,
  Samples,
  Score,
  Steps,
} from "./protocol.ts";
import { smooth } from "./smooth.ts";
import {
  allOf,
  experimentOf,
  ownOf,
  readState,
  usual,
  writeState,
  type TrainState,
} from "./state.ts";

/** How far a session is. */
export type Phase =
  | "idle"
  | "loading"
  | "preparing"
  | "running"
  | "pausing"
  | "paused"
  | "stopped"
  | "done"
  | "failed";

/** One that is being trained, or was. */
export interface Lane {
  readonly contestant: Contestant;
  readonly place: Place | null;
  /** As long as the run will be; filled as far as `done`. */
  readonly losses: Float64Array;
  /** Their moving average. */
  readonly smooth: Float64Array;
  readonly done: number;
  readonly gradientMs: number;
  readonly optimizerMs: number;
  readonly scores: readonly Score[];
  /** What the library has against it. */
  readonly refusal: string | null;
}

/** What a session was begun with, and what has come of it. */
export interface Shown {
  readonly state: TrainState;
  readonly steps: number;
  readonly parameters: number;
  /** `null` until the digits are here. */
  readonly samples: Samples | null;
  /** Whether its networks are no more: there is nothing to save then. */
  readonly isGone: boolean;
  readonly lanes: readonly Lane[];
}

export const state = signal<TrainState>(usual);
export const phase = signal<Phase>("idle");
/** The share of the digits that is here. */
export const share = signal(0);
export const shown = signal<Shown | null>(null);
export const failure = signal<{ readonly message: string; readonly fault: Fault } | null>(null);

/** Why a file could not be made. */
export const fileProblem = signal<string | null>(null);

/** One's own rule, if there is one. */
export const own = computed(() => ownOf(state.value));

/** All that may be trained. */
export const known = computed(() => allOf(state.value));

/** Whether something is under way that can be ended. */
export const isBusy = computed(() =>
  ["loading", "preparing", "running", "pausing", "paused"].includes(phase.value),
);

let worker: Worker | null = null;
let session = 0;

function startWorker(): Worker {
  // In one piece, as bundlers know it.
  const started = new Worker(new URL("./train.worker.ts", import.meta.url), {
    type: "module",
    name: "train",
  });
  started.addEventListener("message", ({ data }: MessageEvent<Report & { id: number }>) => {
    if (data.id === session) batch(() => receive(data));
  });
  started.addEventListener("error", (event) => {
    if (started === worker) fail(event.message || "The worker that trains did not start.", "lost");
  });
  return started;
}

type OrderOf<T> = T extends unknown ? Omit<T, "id"> : never;

function send(order: OrderOf<Order>): void {
  worker ??= startWorker();
  // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
  worker.postMessage({ ...order, id: session });
}

/** Trains those that are chosen, from the beginning. */
export function start(): void {
  const { optimizers, changes, device, rule } = state.value;
  const taking = known.value.filter(({ key }) => optimizers.includes(key));
  const entries = taking.map((contestant): Entry => {
    const { key } = contestant;
    const { rule: _, ...choice } = chosen(contestant, changes[key]);
    return { key, choice, ...(key === yours && { rule }) };
  });
  session++;
  batch(() => {
    phase.value = "loading";
    share.value = 0;
    failure.value = fileProblem.value = null;
    const lanes = taking.map(freshLane);
    shown.value = {
      state: state.value,
      steps: 0,
      parameters: 0,
      samples: null,
      isGone: false,
      lanes,
    };
  });
  const plan = { entries, experiment: experimentOf(state.value), device };
  send({ kind: "train", plan, base: new URL("./", document.baseURI).href });
}

const freshLane = (contestant: Contestant): Lane => ({
  contestant,
  place: null,
  losses: new Float64Array(0),
  smooth: new Float64Array(0),
  done: 0,
  gradientMs: 0,
  optimizerMs: 0,
  scores: [],
  refusal: null,
});

export function pause(): void {
  phase.value = "pausing";
  send({ kind: "pause" });
}

export function resume(): void {
  phase.value = "running";
  send({ kind: "resume" });
}

export function stop(): void {
  send({ kind: "stop" });
  const [asked, at] = [worker, session];
  setTimeout(() => {
    if (asked !== worker || at !== session || !isBusy.value) return;
    // A step may be a very long one, and hears nothing: its worker ends, and what it had with it.
    endWorker();
    batch(() => {
      phase.value = "stopped";
      shown.value = shown.value && { ...shown.value, isGone: true };
    });
  }, PATIENCE);
}

/** How long, in milliseconds, a session may take to stop by itself. */
const PATIENCE = 2000;

function endWorker(): void {
  worker?.terminate();
  worker = null;
}

/** Asks for a run's record or a checkpoint of it, to be saved as a file. */
export function download(key: string, file: FileKind): void {
  fileProblem.value = null;
  send({ kind: "file", key, file });
}

function receive(report: Report): void {
  switch (report.kind) {
    case "loading":
      share.value = report.share;
      if (report.share >= 1) phase.value = "preparing";
      return;
    case "begun": {
      const { steps, parameters, places, samples, refusals } = report;
      phase.value = "running";
      patch(({ contestant: { key } }) => ({
        losses: new Float64Array(steps),
        smooth: new Float64Array(steps),
        place: places.find((place) => place.key === key) ?? null,
        refusal: refusals.find((refusal) => refusal.key === key)?.message ?? null,
      }));
      shown.value = { ...shown.value!, steps, parameters, samples };
      return;
    }
    case "steps":
      for (const each of report.steps) patch((lane) => (isOf(lane, each) ? taken(lane, each) : {}));
      return;
    case "score": {
      const { score } = report;
      patch((lane) => (isOf(lane, score) ? { scores: [...lane.scores, score] } : {}));
      return;
    }
    case "refused":
      for (const each of report.refusals) {
        patch((lane) => (isOf(lane, each) ? { refusal: each.message } : {}));
      }
      return;
    case "file":
      return save(report.name, report.bytes);
    case "unmade":
      fileProblem.value = report.message;
      return;
    case "failed":
      return fail(report.message, report.fault);
    default:
      phase.value = report.kind;
  }
}

const isOf = ({ contestant }: Lane, { key }: { readonly key: string }): boolean =>
  contestant.key === key;

function patch(patchOf: (lane: Lane) => Partial<Lane>): void {
  const now = shown.value;
  if (!now) return;
  shown.value = { ...now, lanes: now.lanes.map((lane) => ({ ...lane, ...patchOf(lane) })) };
}

function taken(lane: Lane, { losses, gradientMs, optimizerMs }: Steps): Partial<Lane> {
  lane.losses.set(losses, lane.done);
  const done = lane.done + losses.length;
  smooth(lane.losses, lane.smooth, lane.done, done);
  return { done, gradientMs, optimizerMs };
}

function fail(message: string, fault: Fault): void {
  phase.value = "failed";
  failure.value = { message, fault };
  if (fault !== "lost") return;
  // What is lost does not come back to this worker: the next session gets another.
  endWorker();
}

/** Takes over what an address sets; a session that is under way goes on as it was begun. */
export function enter(params: URLSearchParams): void {
  state.value = readState(params);
}

/** Changes what the next session trains. */
export function change(next: Partial<TrainState>): void {
  state.value = { ...state.value, ...next };
  keepInAddress("train", writeState(state.value));
}

/** Sets a hyperparameter; `undefined` sets it back. */
export function setHyper(key: string, name: string, value: Value | undefined): void {
  const { [name]: _, ...others } = state.value.changes[key] ?? {};
  const changes = value === undefined ? others : { ...others, [name]: value };
  change({ changes: { ...state.value.changes, [key]: changes } });
}

/** Back to the usual setting; one's own rule stays. */
export function reset(): void {
  change({ ...usual, rule: state.value.rule });
}

/**
 * When the room is left, a session that is under way waits until one comes back; of one that is over nothing
 * stays, as the worker has all of MNIST in memory.
 */
export function leave(): void {
  if (phase.value === "running") return pause();
  if (phase.value === "pausing" || phase.value === "paused") return;
  session++;
  endWorker();
  batch(() => {
    phase.value = "idle";
    shown.value = failure.value = fileProblem.value = null;
  });
}
