/** Who races, and each one's hyperparameters. */
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { racers } from "./racers.ts";
import { ratesOf } from "./state.ts";
import { change, setHyper, state, tracks } from "./store.ts";

export function RacerList() {
  const { racing, changes } = state.value;
  const rates = ratesOf(state.value);
  return (
    <OptimizerList
      title="Who races"
      all={racers.map((racer) => ({ ...racer, lr: racer.rate(rates) }))}
      chosen={racing}
      changes={changes}
      refusalOf={(key) => tracks.value.get(key)?.refusal}
      onChoose={(keys) => change({ racing: keys })}
      onSet={setHyper}
    />
  );
}
