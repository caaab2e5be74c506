/** What is on the page, with the section that is read now. */
import type { LoadedPage } from "virtual:docs";
import { section } from "./place.ts";

export function Contents({ of, page }: { readonly of: string; readonly page: LoadedPage }) {
  const listed = page.headings.filter(({ level }) => level === 2 || level === 3);
  if (listed.length < 2) return <div class="contents" />;
  return (
    <nav class="contents" aria-labelledby="contents-label">
      <p id="contents-label">On this page</p>
      <ul>
        {listed.map(({ id, text, level }) => (
          <li key={id} class={level === 3 ? "deeper" : undefined}>
            <a
              href={`#/docs/${of}?at=${encodeURIComponent(id)}`}
              aria-current={section.value === id ? "location" : undefined}
            >
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
