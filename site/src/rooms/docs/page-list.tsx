/** The search, and all pages by what they are about. Where there is little room they can be folded away. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { pages } from "virtual:docs";
import { found, query, Search } from "./search.tsx";

const wide = matchMedia("(min-width: 901px)");
const isWide = signal(wide.matches);
wide.addEventListener("change", () => {
  isWide.value = wide.matches;
});

const groups = [...new Set(pages.flatMap(({ group }) => group ?? []))];

export function PageList({ current }: { readonly current: string }) {
  const box = useRef<HTMLDetailsElement>(null);
  // On a phone a page that was chosen is what one wants to see.
  useEffect(() => {
    box.current!.open = isWide.value;
  }, [current, isWide.value]);
  return (
    <details class="page-list" ref={box}>
      <summary>All pages, and search</summary>
      <Search />
      {query.value.trim() === "" || found.value === null ? (
        <nav aria-label="Pages">
          {groups.map((label) => (
            <section key={label}>
              <h2>{label}</h2>
              <ul>
                {pages
                  .filter(({ group }) => group === label)
                  .map(({ key, label: name }) => (
                    <li key={key}>
                      <a href={`#/docs/${key}`} aria-current={key === current ? "page" : undefined}>
                        {name}
                      </a>
                    </li>
                  ))}
              </ul>
            </section>
          ))}
        </nav>
      ) : null}
    </details>
  );
}
