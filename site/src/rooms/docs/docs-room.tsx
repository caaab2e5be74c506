/** The room of the guides and the API reference. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { pages, type LoadedPage } from "virtual:docs";
import type { RoomProps } from "../../rooms.ts";
import { Failure } from "../../ui/error-boundary.tsx";
import { Contents } from "./contents.tsx";
import "./code.css";
import "./docs.css";
import { PageList } from "./page-list.tsx";
import { enliven } from "./program.tsx";
import { arrive, followPlace, takeOverScrolling } from "./place.ts";
import { home, open, shown } from "./store.ts";

export function DocsRoom({ path, params }: RoomProps) {
  const asked = path === "" ? home : path;
  useEffect(takeOverScrolling, []);
  useEffect(() => void open(asked), [asked]);
  const now = shown.value;
  return (
    <div class="docs" onClick={again}>
      <PageList current={asked} />
      {now === null && <p class="loading">Loading…</p>}
      {now && "error" in now && <Failure what="This page" error={now.error} />}
      {now && "page" in now && (
        <>
          <Contents of={now.key} page={now.page} />
          <Article
            key={now.key}
            of={now.key}
            page={now.page}
            isAsked={now.key === asked}
            params={params}
          />
        </>
      )}
    </div>
  );
}

interface ArticleProps {
  readonly of: string;
  readonly page: LoadedPage;
  /** Not while the next page is being loaded. */
  readonly isAsked: boolean;
  readonly params: URLSearchParams;
}

let isFirst = true;

function Article({ of, page, isAsked, params }: ArticleProps) {
  const article = useRef<HTMLElement>(null);
  useLayoutEffect(() => enliven(article.current!), []);
  useLayoutEffect(() => {
    if (!isAsked) return;
    document.title = `${page.title} · Downhill lab`;
    arrive(article.current!, params.get("at"), isFirst);
    isFirst = false;
  }, [isAsked, params]);
  // Once one has left for another page, the address is no longer this one's.
  useLayoutEffect(() => (isAsked ? followPlace(article.current!) : undefined), [isAsked]);
  return (
    <div class="reading">
      {/* The page is made from the repository's own files, and escaped: see site/docs. */}
      <article
        ref={article}
        data-ready={isAsked}
        data-page={of}
        dangerouslySetInnerHTML={{ __html: page.html }}
      />
      <Neighbours of={of} />
    </div>
  );
}

/** A link to where the address is already leads there again. */
function again({ target, currentTarget }: MouseEvent): void {
  const link = (target as Element).closest("a");
  if (link?.getAttribute("href") !== location.hash) return;
  const id = new URLSearchParams(location.hash.split("?")[1]).get("at");
  if (id !== null) {
    (currentTarget as Element).querySelector(`article #${CSS.escape(id)}`)?.scrollIntoView();
  }
}

/** The pages before and after this one. */
function Neighbours({ of }: { readonly of: string }) {
  const listed = pages.filter(({ group }) => group !== null);
  const here = listed.findIndex(({ key }) => key === of);
  if (here < 0) return null;
  const [before, after] = [listed[here - 1], listed[here + 1]];
  return (
    <nav class="neighbours" aria-label="Pages before and after">
      {before && <a href={`#/docs/${before.key}`}>← {before.label}</a>}
      {after && (
        <a class="after" href={`#/docs/${after.key}`}>
          {after.label} →
        </a>
      )}
    </nav>
  );
}
