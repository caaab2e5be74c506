/** The rule on a surface beside Adam, as it stands: a race of the Race room's, run anew with every change. */
import { batch, computed, effect, signal } from "@preact/signals";
import { RaceClient } from "../../race/client.ts";
import type { Relief } from "../../race/contours.ts";
import type { Track } from "../../race/engine.ts";
import { lossesOf } from "../../race/losses.ts";
import { ownRacer } from "../../race/own-racer.ts";
import { entryOf, racerOf } from "../../race/racers.ts";
import { fateOf, standingAt, type Shown } from "../../race/standing.ts";
import { surfaces } from "../../race/surfaces.ts";
import { changes, ruleText, state } from "./store.ts";

const adam = racerOf("adam")!;

export const surface = computed(
  () => surfaces.find(({ key }) => key === state.value.surface) ?? surfaces[0],
);
export const view = computed(() => surface.value.view);
export const minima = computed(() => surface.value.minima);
export const racer = computed(() => ownRacer(ruleText.value));

export const relief = signal<Relief | null>(null);
const tracks = signal<ReadonlyMap<string, Track>>(new Map());
/** What broke the worker. */
export const failure = signal<Error | null>(null);
/** The step that is looked at; `null` for the last one. */
const place = signal<number | null>(null);
export const position = computed(() => Math.min(place.value ?? Infinity, surface.value.steps));

export function seek(step: number): void {
  place.value = step >= surface.value.steps ? null : step;
}

/** The surface of the tracks that are here. */
const raced = signal(surfaces[0]);

export const entries = computed((): readonly Shown[] =>
  [adam, racer.value].flatMap((each) => {
    const track = tracks.value.get(each.key);
    if (!track || raced.value !== surface.value) return [];
    return [{ racer: each, track, fate: fateOf(track, minima.value, view.value) }];
  }),
);
export const losses = computed(() => lossesOf(entries.value, surface.value, view.value));
export const standings = computed(() =>
  entries.value.map((entry) => ({
    ...entry,
    standing: standingAt(entry.track, entry.fate, position.value),
  })),
);

let ordered = surfaces[0];
/** The surface that the relief shows. */
let pictured = "";
const client = new RaceClient({
  relief(picture) {
    pictured = ordered.key;
    relief.value = picture;
  },
  tracks(all) {
    batch(() => {
      tracks.value = all;
      raced.value = ordered;
    });
  },
  refused() {
    // Only formulas of surfaces are, and none is typed here.
  },
  failed(error) {
    failure.value = error;
  },
});

/** Races from now on, whenever something changes. @returns what ends it. */
export function startTrials(): () => void {
  const stop = effect(() => {
    const { key, start, steps, noise = 0, rates } = surface.value;
    ordered = surface.value;
    failure.value = null;
    if (pictured !== key) relief.value = null;
    client.order({
      surface: key,
      formula: "",
      view: view.value,
      start,
      steps,
      noise,
      seed: 1,
      relief: pictured !== key,
      entries: [entryOf(adam, rates), entryOf(racer.value, rates, changes.value, ruleText.value)],
    });
  });
  return () => {
    stop();
    client.end();
  };
}
