/** Who learns, and what is set for each. */
import { OptimizerList } from "../../ui/optimizer-list.tsx";
import { yours } from "../../ui/own-rule.ts";
import { YourRule } from "../../ui/your-rule.tsx";
import { change, known, own, setHyper, shown, state } from "./store.ts";

export function Contestants() {
  const { optimizers, changes, rule } = state.value;
  const lanes = shown.value?.lanes ?? [];
  const refusalOf = (key: string): string | null | undefined => {
    const fault = key === yours ? own.value?.fault : null;
    return fault?.message ?? lanes.find(({ contestant }) => contestant.key === key)?.refusal;
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
