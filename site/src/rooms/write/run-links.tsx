/** To the rooms where the rule runs. */
import { writeHash } from "../../router.ts";
import { yours } from "../../ui/own-rule.ts";
import { putChanges } from "./state.ts";
import { changes, ruleText, state, wrong } from "./store.ts";

export function RunLinks() {
  const text = ruleText.value;
  const race = new URLSearchParams({
    surface: state.value.surface,
    racing: `adam,${yours}`,
    rule: text,
  });
  putChanges(race, changes.value);
  const train = new URLSearchParams({ optimizers: `adam,${yours}`, rule: text });
  // A rate that suits a surface suits no network.
  const { lr: _, ...others } = changes.value;
  putChanges(train, others);
  return (
    <div class="run-links">
      <a class="button primary" href={writeHash("race", race)}>
        Run it in Race
      </a>
      <a class="button" href={writeHash("train", train)}>
        Train with it
      </a>
      {wrong.value && <span class="small muted">as it was when it last was a rule</span>}
    </div>
  );
}
