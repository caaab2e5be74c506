/** What the rule becomes: the program that it is traced to, and the code that is made of that. */
import { useId } from "preact/hooks";
import { wasmAllowed } from "../../../../src/backend/wasm/backend.ts";
import { Copy } from "../../ui/copy.tsx";
import { NumberField } from "../../ui/number-field.tsx";
import { MOST_STEP, tabs, type Tab } from "./state.ts";
import { change, explained, firstDiffers, state } from "./store.ts";

const labels: Readonly<Record<Tab, string>> = { ir: "IR", wasm: "WebAssembly", wgsl: "WGSL" };

const notes: Readonly<Record<Tab, string>> = {
  ir: "The tape of the step, after its passes. Uniforms are computed once a step, in float64.",
  wasm: wasmAllowed()
    ? "The module that the page compiles and runs, four numbers at a time."
    : "The module for elsewhere: a policy of this page’s host forbids WebAssembly, so steps run on the interpreter here, with the same numbers.",
  wgsl: "The shaders that run where parameters live on a GPU.",
};

export function Code() {
  const id = useId();
  const { tab, step } = state.value;
  const now = explained.value;
  if (now.refusal !== null) return null;
  const texts: Readonly<Record<Tab, readonly string[]>> = {
    ir: [irText(now.ir, now.uniforms)],
    wasm: now.wasm,
    wgsl: now.wgsl ?? [],
  };
  const text = joined(texts[tab], tab);
  return (
    <section class="card code-card">
      <div class="card-head">
        <h2>What it becomes</h2>
        <div class="step-field">
          <NumberField
            label="Step"
            value={step}
            least={1}
            most={MOST_STEP}
            step={1}
            whole
            onChange={(value) => change({ step: value })}
          />
        </div>
      </div>
      {firstDiffers.value && (
        <p class="small">
          Its first step is another one.{" "}
          <button type="button" class="link" onClick={() => change({ step: 1 })}>
            Show step 1
          </button>
        </p>
      )}
      <div class="tabs">
        <div role="tablist" aria-label="What it becomes" onKeyDown={go}>
          {tabs.map((each) => (
            <button
              key={each}
              type="button"
              role="tab"
              id={`${id}-${each}`}
              aria-controls={`${id}-panel`}
              aria-selected={each === tab}
              tabIndex={each === tab ? 0 : -1}
              onClick={() => change({ tab: each })}
            >
              {labels[each]}
            </button>
          ))}
        </div>
        <Copy text={text} what={labels[tab]} />
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tab}`} tabIndex={0}>
        <p class="small muted">{notes[tab]}</p>
        <pre class="listing">{text}</pre>
      </div>
    </section>
  );
}

function irText(ir: string, uniforms: readonly number[]): string {
  return [ir, "", ...uniforms.map((value, i) => `u${i} = ${value}`)].join("\n");
}

/** Kernels one after the other, each under a comment of its language. */
function joined(texts: readonly string[], tab: Tab): string {
  if (texts.length === 1) return texts[0]!;
  const sign = tab === "wasm" ? ";;" : "//";
  return texts.map((text, i) => `${sign} Kernel ${i + 1} of ${texts.length}\n${text}`).join("\n\n");
}

const ways: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };

/** Arrow keys go from tab to tab, around the ends too. */
function go(event: KeyboardEvent): void {
  const way = ways[event.key];
  const list = event.currentTarget as HTMLElement;
  if (way === undefined || (event.target as HTMLElement).role !== "tab") return;
  event.preventDefault();
  const next = (tabs.indexOf(state.value.tab) + way + tabs.length) % tabs.length;
  change({ tab: tabs[next]! });
  list.querySelectorAll<HTMLElement>("[role=tab]")[next]!.focus();
}
