/** What the room shows and what is set in it, as signals; and the way to the worker. */
import { batch, computed, signal } from "@preact/signals";
import { keepInAddress } from "../../router.ts";
import { reducedMotion } from "../../theme.ts";
import { RaceClient } from "../../race/client.ts";
import type { Relief } from "../../race/contours.ts";
import type { Track } from "../../race/engine.ts";
import type { Changes, Value } from "../../ui/hyper.ts";
import { entryOf, racerOf, type Racer } from "../../race/racers.ts";
import { fateOf, standingAt, type Shown, type Standing } from "../../race/standing.ts";
import { defaultsOf, freshState, ratesOf, readState, writeState, type RaceState } from "./state.ts";
import { typed } from "../../race/surfaces.ts";

export const state = signal<RaceState>(freshState(""));
/** The racer of the reader's own rule, where the address brings one. */
export const own = signal<Racer | null>(null);
export const relief = signal<Relief | null>(null);
/** Of the last race that has begun to come in, by key. */
export const tracks = signal<ReadonlyMap<string, Track>>(new Map());
/** Whether the worker still has something to do. */
export const busy = signal(true);
/** What is wrong with the formula. */
export const refusal = signal<{ readonly message: string; readonly at: number } | null>(null);
/** What broke the worker. */
export const failure = signal<Error | null>(null);
/** The step that is shown; between two of them while playing. */
export const position = signal(0);
export const playing = signal(false);

/** The whole step that is shown. */
export const shownStep = computed(() => Math.floor(position.value));

/** Those that race and whose tracks are here. */
export const shown = computed((): Shown[] => {
  const { racing, view, surface } = state.value;
  return racing.flatMap((key) => {
    const [racer, track] = [racerOf(key, own.value), tracks.value.get(key)];
    if (!racer || !track) return [];
    return [{ racer, track, fate: fateOf(track, defaultsOf(surface).minima, view) }];
  });
});

export const standings = computed((): (Shown & { readonly standing: Standing })[] =>
  shown.value.map((entry) => ({
    ...entry,
    standing: standingAt(entry.track, entry.fate, shownStep.value),
  })),
);

const client = new RaceClient({
  relief(picture) {
    pictured = pictureOf(state.value);
    relief.value = picture;
  },
  tracks(all) {
    batch(() => {
      tracks.value = all;
      refusal.value = null;
      busy.value = false;
    });
    markFirstRace();
  },
  refused(message, at) {
    batch(() => {
      refusal.value = { message, at };
      busy.value = false;
      playing.value = false;
    });
  },
  failed(error) {
    failure.value = error;
  },
});

/** What the relief that is here shows. */
let pictured = "";

function send(): void {
  const { surface, formula, view, start, steps, noise, seed, racing, changes, rule } = state.value;
  const rates = ratesOf(state.value);
  busy.value = true;
  failure.value = null;
  client.order({
    surface,
    formula,
    view,
    start,
    steps,
    noise,
    seed,
    relief: pictureOf(state.value) !== pictured,
    entries: racing.flatMap((key) => {
      const racer = racerOf(key, own.value);
      return racer ? [entryOf(racer, rates, changes[key], rule)] : [];
    }),
  });
}

const pictureOf = ({ surface, formula, view }: RaceState): string =>
  JSON.stringify([surface, surface === typed ? formula : "", view]);

/** For whoever measures how long the page takes to its first race. */
function markFirstRace(): void {
  if (performance.getEntriesByName("first-race").length === 0) performance.mark("first-race");
}

function remember(): void {
  keepInAddress("race", writeState(state.value));
}

let entered = 0;

/** Takes over what an address sets: at once, unless it brings a rule, as rules are read by code that is loaded then. */
export async function enter(params: URLSearchParams): Promise<void> {
  const turn = ++entered;
  const rule = params.get("rule") ?? "";
  const racer = rule === "" ? null : await readOwn(rule);
  if (turn !== entered) return;
  if (racer instanceof Error) {
    failure.value = racer;
    return;
  }
  const next = readState(params, racer);
  batch(() => {
    own.value = racer;
    state.value = next;
    refusal.value = null;
    position.value = next.at ?? (reducedMotion.value ? next.steps : 0);
    playing.value = next.at === null && !reducedMotion.value;
  });
  send();
}

async function readOwn(rule: string): Promise<Racer | Error> {
  try {
    return (await import("../../race/own-racer.ts")).ownRacer(rule);
  } catch (error) {
    return error as Error;
  }
}

/** Ends what runs, as nobody looks any more. */
export function leave(): void {
  entered++;
  client.end();
}

/** Changes something, and races anew. What is shown stays where it is. */
export function change(patch: Partial<RaceState>): void {
  const before = state.value;
  batch(() => {
    state.value = { ...before, ...patch };
    const { steps } = state.value;
    if (position.value >= before.steps || position.value > steps) position.value = steps;
  });
  remember();
  send();
}

/** Goes to another surface, with the same racers as they are set. */
export function goTo(surface: string): void {
  const { racing, changes, rule, speed, formula } = state.value;
  batch(() => {
    state.value = {
      ...freshState(surface, formula),
      racing,
      changes: withoutRates(changes),
      rule,
      speed,
    };
    refusal.value = null;
  });
  remember();
  send();
  if (reducedMotion.value) position.value = state.value.steps;
  else play(0);
}

/** Learning rates are a matter of the surface. */
function withoutRates(changes: RaceState["changes"]): RaceState["changes"] {
  return Object.fromEntries(
    Object.entries(changes).map(([key, { lr: _, ...others }]) => [key, others]),
  );
}

/** Sets a hyperparameter; `undefined` sets it back. */
export function setHyper(key: string, name: string, value: Value | undefined): void {
  const { changes } = state.value;
  const { [name]: _, ...others } = changes[key] ?? {};
  const next: Changes = value === undefined ? others : { ...others, [name]: value };
  change({ changes: { ...changes, [key]: next } });
}

/** Begins to play: from where it stands, or from the beginning where that is the end. */
export function play(from?: number): void {
  const start = from ?? (position.value >= state.value.steps ? 0 : position.value);
  batch(() => {
    position.value = start;
    playing.value = true;
    state.value = { ...state.value, at: null };
  });
  remember();
}

/** Stands still, at a step if one is given. */
export function pause(at: number = shownStep.value): void {
  const { steps } = state.value;
  const step = Math.min(Math.max(Math.round(at), 0), steps);
  batch(() => {
    playing.value = false;
    position.value = step;
    state.value = { ...state.value, at: step === steps ? null : step };
  });
  remember();
}

/** Back to the usual race on this surface. */
export function reset(): void {
  const { surface, formula, rule } = state.value;
  state.value = { ...freshState(surface, formula), rule };
  remember();
  send();
  if (reducedMotion.value) pause(state.value.steps);
  else play(0);
}
