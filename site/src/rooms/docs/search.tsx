/** The field of the search, and what was found. Its index is loaded when one first goes there. */
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { find, type Findable } from "./find.ts";

export const query = signal("");
const entries = signal<readonly Findable[] | null>(null);

/** `null` while nothing is searched for, or the index is not there yet. */
export const found = computed(() =>
  query.value.trim() === "" || entries.value === null ? null : find(entries.value, query.value),
);

async function load(): Promise<void> {
  entries.value ??= (await import("virtual:docs/search")).entries;
}

function clear(): void {
  query.value = "";
}

export function Search() {
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const slash = (event: KeyboardEvent): void => {
      if (event.key !== "/" || (event.target as Element).closest("input, textarea, select")) return;
      event.preventDefault();
      field.current!.closest("details")!.open = true;
      field.current!.focus();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);
  const move = (event: KeyboardEvent): void => {
    const links = [...(list.current?.querySelectorAll("a") ?? [])];
    const here = links.indexOf(document.activeElement as HTMLAnchorElement);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Escape") {
      clear();
      field.current!.focus();
    } else if (event.key === "Enter" && here < 0) links[0]?.click();
    else if (event.key in steps) {
      event.preventDefault();
      (links[here + steps[event.key]!] ?? field.current!).focus();
    }
  };
  const results = found.value;
  return (
    <search onKeyDown={move}>
      <div class="field">
        <label for="docs-search">
          Search titles and names <kbd>/</kbd>
        </label>
        <input
          id="docs-search"
          ref={field}
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={query.value}
          onFocus={() => void load()}
          onInput={({ currentTarget }) => {
            query.value = currentTarget.value;
          }}
        />
      </div>
      <p class="visually-hidden" role="status">
        {results && `${results.length} found`}
      </p>
      {results && (
        <ul class="found" ref={list}>
          {results.map(({ name, at, from }) => (
            <li key={at}>
              <a href={`#/docs/${at}`} onClick={clear}>
                {name} <span>{from}</span>
              </a>
            </li>
          ))}
          {results.length === 0 && <li class="muted small">Nothing has such a name.</li>}
        </ul>
      )}
    </search>
  );
}
