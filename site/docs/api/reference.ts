/** The API reference: a page for each module of the package, of the package itself one for each topic. */
import { codeBlock } from "../markdown.ts";
import { escapeHtml, routeOf, type Entry, type Heading, type Page } from "../page.ts";
import { chaptersOf, type Chapter } from "./chapters.ts";
import { Names } from "./names.ts";
import { Sections } from "./sections.ts";
import { readEntries, Sources } from "./sources.ts";

export interface Reference {
  readonly pages: readonly Page[];
  readonly entries: readonly Entry[];
  /** Public names that no docstring says anything about, as `downhill: Adam`. */
  readonly undocumented: readonly string[];
  /** Links of docstrings to names that are not there, as `src/index.ts: Adma`. */
  readonly broken: readonly string[];
  /**
   * Where a name in a guide is described: one of the module that the guide is about, or of the package itself, or
   * one that there is only once. Short words such as `sum` mean too much to be taken for names.
   */
  routeOf(name: string, guide: string): string | null;
}

const group = "API reference";
const packageName = "downhill";

/** Makes it of the sources. */
export function buildReference(root: string): Reference {
  const sources = new Sources(root);
  const chapters = chaptersOf(sources, readEntries(root));
  const sections = new Sections(root, sources, new Names(sources, chapters));
  const pages = chapters.map((chapter) => pageOf(chapter, sections));
  return {
    pages: [overviewOf(chapters, sections), ...pages],
    entries: sections.entries,
    undocumented: sections.undocumented,
    broken: [...sections.broken],
    routeOf: (name, guide) => routeOfName(chapters, name, guide),
  };
}

function routeOfName(chapters: readonly Chapter[], name: string, guide: string): string | null {
  if (!/[A-Z]/.test(name)) return null;
  const having = chapters.filter(
    ({ namespace, declarations }) => !namespace && declarations.has(name),
  );
  const chapter =
    having.find(({ importedFrom }) => importedFrom === `${packageName}/${guide}`) ??
    having.find(({ importedFrom }) => importedFrom === packageName) ??
    (having.length === 1 ? having[0] : undefined);
  return chapter ? routeOf(`api/${chapter.key}`, name) : null;
}

function pageOf(chapter: Chapter, sections: Sections): Page {
  const { key, title, label, importedFrom, namespace, intro, declarations } = chapter;
  const parts = [...declarations].map(([name, one]) => sections.section(chapter, name, one));
  const [first] = declarations.values();
  const top: Heading = { id: "top", text: title, level: 1 };
  return {
    key: `api/${key}`,
    title,
    label,
    group,
    html: `<h1 id="${top.id}" tabindex="-1">${escapeHtml(title)}</h1>
${sections.markdown(intro, { chapter, module: first!.module })}
${codeBlock(`import { ${namespace ?? "…"} } from "${importedFrom}";\n`, "ts")}
${parts.join("")}`,
    headings: [
      top,
      ...[...declarations.keys()].map((name) => ({ id: name, text: name, level: 2 })),
    ],
  };
}

/** All names with a sentence each, page by page. */
function overviewOf(chapters: readonly Chapter[], sections: Sections): Page {
  const parts = chapters.map((chapter) => {
    const { key, title, declarations } = chapter;
    const page = `api/${key}`;
    const rows = [...declarations].map(([name, one]) => {
      const href = escapeHtml(routeOf(page, name));
      const about = sections.summary(chapter, one);
      return `<tr><td><a href="${href}"><code>${escapeHtml(name)}</code></a></td><td>${about}</td></tr>\n`;
    });
    const label = escapeHtml(title);
    return `<h2 id="${key}" tabindex="-1"><a href="${routeOf(page)}">${label}</a></h2>
<div class="wide" role="group" aria-label="Names of ${label}" tabindex="0"><table class="names"><tbody>
${rows.join("")}</tbody></table></div>\n`;
  });
  const top: Heading = { id: "top", text: "API reference", level: 1 };
  return {
    key: "api",
    title: top.text,
    label: "All names",
    group,
    html: `<h1 id="${top.id}" tabindex="-1">${top.text}</h1>
<p>Every public name, with what its source says of it.</p>
${parts.join("")}`,
    headings: [top, ...chapters.map(({ key, title }) => ({ id: key, text: title, level: 2 }))],
  };
}
