/**
 * Puts the guides and the API reference into the page: each page is a module that is loaded when it is opened, and so
 * is each program of the guides. In the server of Vite they follow their files.
 */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { Plugin } from "vite";
import { readEntries } from "./api/sources.ts";
import { buildLibrary, type Library } from "./library.ts";
import type { Page } from "./page.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Programs pretend to be files of this folder. They import the package by its names. */
const programFolder = join(root, "site", "docs", "programs");
const entries = readEntries(root);
const prefix = "virtual:docs";

/** One for the page's plugin and that of its workers. */
let made: Library | undefined;
const library = (): Library => (made ??= buildLibrary(root));

export function docs(): Plugin {
  return {
    name: "docs",
    enforce: "pre",
    resolveId(id, importer) {
      if (importer?.startsWith(programFolder)) {
        const entry = entries.find(({ name }) => name === id);
        return entry ? join(root, entry.file) : null;
      }
      const program = /^virtual:docs\/program\/(.*)/.exec(id);
      if (program) return join(programFolder, `${program[1]}.ts`);
      return id.startsWith(prefix) ? `\0${id}` : null;
    },
    load(id) {
      if (id.startsWith(programFolder)) {
        const name = id.slice(programFolder.length + 1, -".ts".length).replaceAll("\\", "/");
        return `${library().programs.get(name)!.code}\nexport {};\n`;
      }
      return id.startsWith(`\0${prefix}`) ? moduleOf(id.slice(1 + prefix.length)) : null;
    },
    configureServer({ watcher, ws, moduleGraph }) {
      const sources = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "examples", "src"];
      watcher.add(sources.map((path) => join(root, path)));
      watcher.on("change", (path) => {
        if (!/\.(md|svg|ts)$/.test(path)) return;
        made = undefined;
        moduleGraph.invalidateAll();
        ws.send({ type: "full-reload" });
      });
    },
  };
}

/** The text of a module, by what follows `virtual:docs` in its name. */
function moduleOf(path: string): string {
  const { pages, entries: found, programs } = library();
  if (path === "/search") return `export const entries = ${JSON.stringify(found)};`;
  if (path === "/programs") {
    return `export const programs = {${loaders([...programs.keys()], "program")}};`;
  }
  const asked = /^\/page\/(.*)/.exec(path)?.[1];
  if (asked !== undefined) return pageModule(pages.find(({ key }) => key === asked)!);
  const listed = pages.map(({ key, title, label, group }) => ({
    key,
    label: label ?? title,
    group,
  }));
  const keys = listed.map(({ key }) => key);
  return `
    export const pages = ${JSON.stringify(listed)};
    export const loaders = {${loaders(keys, "page")}};`;
}

const loaders = (names: readonly string[], kind: string): string =>
  names.map((name) => `"${name}": () => import("${prefix}/${kind}/${name}"),`).join("");

/** Files of the page become imports, which know where they come to lie. */
function pageModule({ title, html, headings }: Page): string {
  const parts = html.split(/"asset:([^"]+)"/);
  const imports = parts.flatMap((path, i) =>
    i % 2 === 1 ? `import asset${i} from ${JSON.stringify(`${join(root, path)}?url`)};\n` : [],
  );
  const text = parts.map((part, i) =>
    i % 2 === 1 ? `'"' + asset${i} + '"'` : JSON.stringify(part),
  );
  return `${imports.join("")}
    export const title = ${JSON.stringify(title)};
    export const headings = ${JSON.stringify(headings)};
    export const html = ${text.join(" + ")};`;
}
