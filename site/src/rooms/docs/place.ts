/**
 * Where on a page one is. A link leads to its section, and the browser's buttons lead back to where one had scrolled
 * to: browsers do that themselves only where the page is there at once.
 */
import { signal } from "@preact/signals";

/** The section that is read now. */
export const section = signal<string | null>(null);

interface Kept {
  readonly top?: number;
}

/** The address that one has arrived at: until then one still stands where the one before had led. */
let there = "";

/** Scrolls to where the address leads. The focus goes along, so that the next key starts from there. */
export function arrive(article: HTMLElement, id: string | null, isFirst: boolean): void {
  there = location.hash;
  const kept = history.state as Kept | null;
  const target = id === null ? null : article.querySelector<HTMLElement>(`#${CSS.escape(id)}`);
  if (kept?.top !== undefined) scrollTo(0, kept.top);
  else if (target) target.scrollIntoView();
  else scrollTo(0, 0);
  if (target || !isFirst) {
    (target ?? article.querySelector<HTMLElement>("h1"))?.focus({ preventScroll: true });
  }
}

/** Leaves scrolling to {@link arrive}. Returns what ends that. */
export function takeOverScrolling(): () => void {
  history.scrollRestoration = "manual";
  return () => {
    history.scrollRestoration = "auto";
  };
}

/** Keeps the place in the browser's history, and {@link section}. Returns what ends it. */
export function followPlace(article: HTMLElement): () => void {
  const headings = [...article.querySelectorAll<HTMLElement>("h2[id], h3[id]")];
  let pending: ReturnType<typeof setTimeout> | undefined;
  const keep = (): void => {
    clearTimeout(pending);
    if (location.hash !== there) return;
    history.replaceState({ top: scrollY } satisfies Kept, "");
  };
  const note = (): void => {
    section.value =
      headings.findLast((heading) => heading.getBoundingClientRect().top < 120)?.id ?? null;
    clearTimeout(pending);
    // Later, for browsers refuse many changes at once.
    pending = setTimeout(keep, 100);
  };
  note();
  addEventListener("scroll", note, { passive: true });
  addEventListener("click", keep, { capture: true });
  return () => {
    clearTimeout(pending);
    removeEventListener("scroll", note);
    removeEventListener("click", keep, { capture: true });
  };
}
