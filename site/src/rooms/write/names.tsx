/** The names in scope and the functions, as buttons that put them where the caret is. */
import type { RefObject } from "preact";
import { apply } from "./editor.tsx";
import { put } from "./edits.ts";
import { functions, type Name } from "./scope.ts";
import { names, state } from "./store.ts";

export function Names({ area }: { readonly area: RefObject<HTMLTextAreaElement | null> }) {
  const insert = (name: string, example?: string): void => {
    const { current } = area;
    if (!current) return;
    const { selectionStart: from, selectionEnd: to } = current;
    apply(current, put(state.value.rule, { from, to }, name, example));
  };
  const { given, state: kept, hyper, local } = names.value;
  const groups: readonly (readonly [string, string, readonly Name[]])[] = [
    ["Given", "plain", given],
    ["State", "state", kept],
    ["Hyperparameters", "hyper", hyper],
    ["Set here", "plain", local],
    ["Functions", "function", functions],
  ];
  return (
    <section class="card names">
      <h2>
        Names in scope <span class="muted small">press one to write it</span>
      </h2>
      {groups
        .filter(([, , members]) => members.length > 0)
        .map(([label, look, members]) => (
          <div key={label} class="names-line" role="group" aria-label={label}>
            <span class="small muted">{label}</span>
            {members.map((member) => (
              <button
                key={member.name}
                type="button"
                class={`name paint-${look}`}
                title={member.about}
                onClick={() =>
                  insert(member.name, "example" in member ? String(member.example) : undefined)
                }
              >
                {member.name}
              </button>
            ))}
          </div>
        ))}
      <p class="small muted">
        <code>lr</code>, <code>b1</code>, <code>b2</code>, <code>eps</code>, <code>momentum</code>{" "}
        and <code>weightDecay</code> need no declaration; others are declared above the equations,
        as in <code>limit = 0.5</code>. What is read before it has a value is state.{" "}
        <a href="#/docs/math">All of the language</a>
      </p>
    </section>
  );
}
