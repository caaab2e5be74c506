/** What the room shows, as signals that follow the text. */
import { batch, computed, signal } from "@preact/signals";
import { adam } from "downhill";
import type { HyperDefaults, Rule } from "downhill";
import { explainRule, type Explanation } from "../../../../src/explain/explain.ts";
import { keepInAddress } from "../../router.ts";
import type { Changes, Value } from "../../ui/hyper.ts";
import { placeOf, type Wrong } from "./paint.ts";
import { explain, fieldsIn, fitting, read, type Explained } from "./reading.ts";
import { namesOf } from "./scope.ts";
import { readState, usual, writeState, type WriteState } from "./state.ts";

export const state = signal<WriteState>(usual);
/** The text as it was when the reader last paused. */
const settled = signal(usual.rule);
const PAUSE_MS = 200;

const reading = computed(() => read(settled.value));

/** What is wrong with the text. */
export const wrong = computed(() => reading.value.error);

/** Where that is, unless the text has gone on since. */
export const wrongPlace = computed((): Wrong | null => {
  const { rule } = state.value;
  return wrong.value && rule === settled.value ? placeOf(rule, wrong.value) : null;
});

let last = { text: usual.rule, rule: read(usual.rule).rule! };

/** The text and its rule; of a wrong text, what it was before. */
const good = computed(() => {
  const { rule: now } = reading.value;
  if (now) last = { text: settled.value, rule: now };
  return last;
});
export const rule = computed((): Rule => good.value.rule);
export const ruleText = computed(() => good.value.text);

export const names = computed(() => namesOf(rule.value));

/** As text, so that what follows from it follows only where it has changed. */
const written = computed(() => JSON.stringify(fitting(rule.value, state.value.changes)));
/** What is set of the rule. */
export const changes = computed(() => JSON.parse(written.value) as Changes);
const step = computed(() => state.value.step);
export const explained = computed(() => explain(rule.value, changes.value, step.value));
/** Whether its first step does something else than the shown one. */
export const firstDiffers = computed(() => {
  const now = explained.value;
  if (now.refusal !== null || step.value === 1) return false;
  const at1 = explain(rule.value, changes.value, 1);
  return at1.refusal === null && at1.ir !== now.ir;
});

/** The same rule with its state in half the memory, if it has any. */
export const narrow = computed((): Explained | null => {
  const now = explained.value;
  if (now.refusal !== null || now.state.length === 0) return null;
  return explain(rule.value, changes.value, step.value, "bfloat16");
});

let adams: Explanation | undefined;

/** The same of Adam, to compare with. */
export const ofAdam = (): Explanation =>
  (adams ??= explainRule(adam as unknown as Rule<HyperDefaults>, { dtype: "float32", t: 2 }));

let pause: ReturnType<typeof setTimeout> | undefined;

/** Takes over what an address sets. */
export function enter(params: URLSearchParams): void {
  clearTimeout(pause);
  batch(() => {
    state.value = readState(params, fieldsIn);
    settled.value = state.value.rule;
  });
}

export function change(patch: Partial<WriteState>): void {
  state.value = { ...state.value, ...patch };
  keepInAddress("write", writeState(state.value));
}

/** The text while it is typed: it is read once the typing pauses. */
export function type(text: string): void {
  change({ rule: text });
  clearTimeout(pause);
  pause = setTimeout(() => {
    settled.value = text;
  }, PAUSE_MS);
}

/** Another text altogether. */
export function begin(text: string): void {
  clearTimeout(pause);
  batch(() => {
    change({ rule: text, changes: {} });
    settled.value = text;
  });
}

/** Sets a hyperparameter; `undefined` sets it back. */
export function setHyper(name: string, value: Value | undefined): void {
  const { [name]: _, ...rest } = changes.value;
  change({ changes: value === undefined ? rest : { ...rest, [name]: value } });
}
