/** Who races, and each one's hyperparameters. */
import { writeHash } from "../../router.ts";
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { yours } from "../../ui/own-rule.ts";
import { racersWith } from "./racers.ts";
import { ratesOf } from "./state.ts";
import { change, own, setHyper, state, tracks } from "./store.ts";

export function RacerList() {
  const { racing, changes } = state.value;
  const rates = ratesOf(state.value);
  return (
    <>
      <OptimizerList
        title="Who races"
        all={racersWith(own.value).map((racer) => ({ ...racer, lr: racer.rate(rates) }))}
        chosen={racing}
        changes={changes}
        refusalOf={(key) => tracks.value.get(key)?.refusal}
        onChoose={(keys) => change({ racing: keys })}
        onSet={setHyper}
      />
      {own.value !== null && <OwnRule />}
    </>
  );
}

/** The text of the reader's own rule, and the way to where it is written. */
function OwnRule() {
  const { rule, surface, changes } = state.value;
  const params = new URLSearchParams({ rule, surface });
  for (const [name, value] of Object.entries(changes[yours] ?? {})) {
    params.set(`${yours}.${name}`, String(value));
  }
  return (
    <section class="card your-rule">
      <h2>
        Your rule <a href={writeHash("write", params)}>Change it in Write</a>
      </h2>
      <pre tabIndex={0} role="region" aria-label="The text of your rule">
        {rule.trim()}
      </pre>
    </section>
  );
}
