/** Who races, and each one's hyperparameters. */
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { yours } from "../../ui/own-rule.ts";
import { YourRule } from "../../ui/your-rule.tsx";
import { racersWith } from "../../race/racers.ts";
import { ratesOf } from "./state.ts";
import { change, own, setHyper, state, tracks } from "./store.ts";

export function RacerList() {
  const { racing, changes, rule, surface } = state.value;
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
      {own.value !== null && <YourRule rule={rule} changes={changes[yours]} more={{ surface }} />}
    </>
  );
}
