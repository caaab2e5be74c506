/** Who learns, and what is set for each; and what is wrong with one's own rule. */
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { yours } from "./contestants.ts";
import { ownOf } from "./state.ts";
import { change, known, setHyper, shown, state } from "./store.ts";

export function Contestants() {
  const { optimizers, changes } = state.value;
  const own = ownOf(state.value);
  const lanes = shown.value?.lanes ?? [];
  return (
    <>
      <OptimizerList
        title="Who learns"
        all={known.value}
        chosen={optimizers}
        changes={changes}
        refusalOf={(key) => lanes.find(({ contestant }) => contestant.key === key)?.refusal}
        onChoose={(keys) => change({ optimizers: keys })}
        onSet={setHyper}
      />
      {own instanceof Error && optimizers.includes(yours) && (
        <section class="card own-rule" role="alert">
          <h2>Your rule cannot train</h2>
          <p class="small bad">{own.message}</p>
          {"excerpt" in own && <pre>{String(own.excerpt)}</pre>}
        </section>
      )}
    </>
  );
}
