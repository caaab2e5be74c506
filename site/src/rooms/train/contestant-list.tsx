/** Who learns, and what is set for each. */
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { yours } from "../../ui/own-rule.ts";
import { YourRule } from "../../ui/your-rule.tsx";
import type { TrainState } from "./state.ts";
import { change, known, own, setHyper, shown, state } from "./store.ts";

export function Contestants() {
  const { optimizers, changes, rule } = state.value;
  const run = shown.value;
  /** What the last session said holds until something else is set. */
  const refusalOf = (key: string): string | null | undefined => {
    if (key === yours && own.value?.fault) return own.value.fault.message;
    const setting = (from: TrainState) =>
      JSON.stringify([from.changes[key] ?? {}, key === yours && from.rule]);
    if (!run || setting(run.state) !== setting(state.value)) return null;
    return run.lanes.find(({ contestant }) => contestant.key === key)?.refusal;
  };
  return (
    <>
      <OptimizerList
        title="Who learns"
        all={known.value}
        chosen={optimizers}
        changes={changes}
        refusalOf={refusalOf}
        onChoose={(keys) => change({ optimizers: keys })}
        onSet={setHyper}
      />
      {own.value !== null && <YourRule rule={rule} changes={changes[yours]} />}
    </>
  );
}
