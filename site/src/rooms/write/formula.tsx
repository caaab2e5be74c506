/** The equations as papers have them, typeset by KaTeX, which is loaded for it. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Copy } from "../../ui/copy.tsx";
import { explained } from "./store.ts";

/** Whether all cases are shown, or those of the hyperparameters as they are set. */
const all = signal(false);

export function Formula() {
  const now = explained.value;
  if (now.refusal !== null) return null;
  const { general, tex = general } = now;
  const hasCases = general !== tex;
  const shown = hasCases && all.value ? general : tex;
  return (
    <section class="card formula-card">
      <div class="card-head">
        <h2>The formula</h2>
        {hasCases && (
          <div class="check">
            <input
              id="all-cases"
              type="checkbox"
              checked={all.value}
              onChange={(event) => (all.value = event.currentTarget.checked)}
            />
            <label for="all-cases">All cases</label>
          </div>
        )}
        <Copy text={shown} what="TeX" />
      </div>
      <Typeset tex={shown} />
    </section>
  );
}

function Typeset({ tex }: { readonly tex: string }) {
  const node = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let isLatest = true;
    void import("./katex.ts").then(({ typeset }) => {
      if (isLatest && node.current) typeset(tex, node.current);
    });
    return () => {
      isLatest = false;
    };
  }, [tex]);
  return (
    <div class="typeset" tabIndex={0} role="region" aria-label="The formula">
      <div ref={node} />
    </div>
  );
}
