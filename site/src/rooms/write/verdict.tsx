/** What there is to say of the text: that it is a rule, or what is wrong, where, and what could stand there. */
import type { RefObject } from "preact";
import { customary } from "../../../../src/math/complete.ts";
import { meantBy } from "../../../../src/math/closest.ts";
import { put, type Edit } from "./edits.ts";
import { apply } from "./editor.tsx";
import { explained, names, rule, state, wrong, wrongPlace } from "./store.ts";

interface Props {
  readonly area: RefObject<HTMLTextAreaElement | null>;
  /** Of what says what is wrong. */
  readonly id: string;
}

export function Verdict({ area, id }: Props) {
  const error = wrong.value;
  return (
    <div class="verdict" data-right={error === null}>
      <div role="status" id={id}>
        {error ? <Wrong /> : <Right />}
      </div>
      {error && error.names.length > 0 && <Instead area={area} />}
    </div>
  );
}

function Right() {
  const now = explained.value;
  if (now.refusal !== null) return <p class="small bad">{now.refusal}</p>;
  const kept = names.value.state.map(({ name }) => name);
  return (
    <p class="small">
      <b class="good">A rule</b>
      {rule.value.name !== "Rule" && ` named ${rule.value.name}`}: remembers{" "}
      {kept.length > 0 ? kept.join(", ") : "nothing"}, moves {now.bytes} bytes per parameter and
      step.
    </p>
  );
}

function Wrong() {
  const { line, column, excerpt, got, expected, message } = wrong.value!;
  const advice = message.split("\n")[0]!.split(`expected ${expected}.`)[1]?.trim();
  return (
    <>
      <p class="bad">
        <b>
          Line {line}, column {column}:
        </b>{" "}
        got {got}, expected {expected}. {advice}
      </p>
      <pre class="excerpt" aria-hidden="true">
        {excerpt.replaceAll(/^ {2}/gm, "")}
      </pre>
    </>
  );
}

/** More names are too many to choose from. */
const MOST = 16;

/** The names that could stand there; the one that was probably meant comes first. */
function Instead({ area }: Pick<Props, "area">) {
  const { names: known, got } = wrong.value!;
  const place = wrongPlace.value;
  const written = place ? state.value.rule.slice(place.at, place.end) : got;
  const meant = meantBy(written, [...known, ...customary.keys()]);
  // Of the many functions, those that begin alike.
  const likely = known.filter((name) => known.length <= MOST || name[0] === written[0]);
  const offered = new Set([...(meant === undefined ? [] : [meant]), ...likely]);
  const replace = (name: string): void => {
    if (area.current && place) apply(area.current, replacement(state.value.rule, place, name));
  };
  return (
    <div class="names-line" role="group" aria-label={`Instead of ${got}`}>
      <span class="small muted">Instead of {got}:</span>
      {[...offered].map((name) => (
        <button
          key={name}
          type="button"
          class={name === meant ? "name meant" : "name"}
          onClick={() => replace(name)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

const replacement = (text: string, { at, end }: { at: number; end: number }, name: string): Edit =>
  put(text, { from: at, to: end }, name);
