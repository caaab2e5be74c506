/** All pages of the Docs room, made of the repository's own files. */
import { buildReference, type Reference } from "./api/reference.ts";
import type { Block } from "./blocks.ts";
import { readGuides, type Guide } from "./guides.ts";
import { Links } from "./links.ts";
import { renderMarkdown } from "./markdown.ts";
import { Anchors, type Entry, type Page } from "./page.ts";

export interface Library {
  readonly pages: readonly Page[];
  /** What can be searched for. */
  readonly entries: readonly Entry[];
  /** Programs that run in a page, by their names. */
  readonly programs: ReadonlyMap<string, Block>;
  readonly reference: Reference;
}

/** Makes them. */
export function buildLibrary(root: string): Library {
  const guides = readGuides(root);
  const links = new Links(root, guides);
  const programs = new Map<string, Block>();
  const reference = buildReference(root);
  const read = guides.map((guide) => guidePage(guide, { root, links, programs, reference }));
  const isLast = ({ group }: Page): boolean => group === null || group === "More";
  const pages = [
    ...read.filter((page) => !isLast(page)),
    ...reference.pages,
    ...read.filter(isLast),
  ];
  return {
    pages,
    entries: [...read.flatMap(entriesOf), ...reference.entries],
    programs,
    reference,
  };
}

function guidePage(
  { key, file, text, label, group, hasPrograms }: Guide,
  rest: { root: string; links: Links; programs: Map<string, Block>; reference: Reference },
): Page {
  const heading = text.startsWith("# ") ? "" : `# Measured: ${key}\n\n`;
  const made = renderMarkdown(heading + text, {
    key,
    root: rest.root,
    hasPrograms,
    anchors: new Anchors(),
    resolve: (href) => rest.links.resolve(href, file),
    routeOfName: (name) => rest.reference.routeOf(name, key),
  });
  made.programs.forEach((block, i) => {
    if (block.runs !== null) rest.programs.set(`${key}/${i}`, block);
  });
  const { html, headings } = made;
  const title = headings[0]!.text;
  return { key, title, ...(label !== undefined && { label }), group, html, headings };
}

function entriesOf({ key, title, headings, group }: Page): Entry[] {
  if (group === null) return [];
  return headings.map(({ id, text, level }) => ({
    name: text,
    at: level === 1 ? key : `${key}?at=${encodeURIComponent(id)}`,
    from: level === 1 ? "Guide" : title,
  }));
}
