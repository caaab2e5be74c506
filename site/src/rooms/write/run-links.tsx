/** To the rooms where the rule runs. */
import { writeHash } from "../../router.ts";
import { Copy } from "../../ui/copy.tsx";
import { yours } from "../../ui/own-rule.ts";
import { putChanges, usual, writeState } from "./state.ts";
import { changes, ruleText, state, wrong } from "./store.ts";

export function RunLinks() {
  if (wrong.value) {
    return (
      <p class="small muted">
        What else is shown is of{" "}
        {ruleText.value === usual.rule
          ? "the text that the room begins with"
          : "the last text that was a rule"}
        .
      </p>
    );
  }
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
      <Copy
        text={location.href.replace(/#.*/s, "") + writeHash("write", writeState(state.value))}
        what="link"
      />
    </div>
  );
}
