/**
 * Markdown as the HTML of the lab: headings that can be linked to, tables that scroll within themselves, coloured
 * code, programs with a place for what they print, and links that stay in the lab. HTML in Markdown is text.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import MarkdownIt, { type Token } from "markdown-it";
import { blockOf, programMark, type Block } from "./blocks.ts";
import { highlight } from "./highlight.ts";
import type { Target } from "./links.ts";
import { Anchors, escapeHtml, routeOf, type Heading } from "./page.ts";

/** What a text needs to know of its surroundings. */
export interface Surroundings {
  /** Of the page that it becomes a part of. */
  readonly key: string;
  readonly root: string;
  readonly hasPrograms: boolean;
  readonly anchors: Anchors;
  resolve(href: string): Target;
  /** Where a name in the font of code is described, if it is one of the library's. */
  routeOfName?(name: string): string | null;
}

interface Written extends Surroundings {
  readonly headings: Heading[];
  readonly programs: Block[];
  /** Closing tags of the links that are open. */
  readonly closing: string[];
}

const markdown = new MarkdownIt({ html: false, linkify: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
const { rules } = markdown.renderer;
const written = (env: unknown): Written => env as Written;
const attribute = (token: Token, name: string): string => String(token.attrGet(name) ?? "");

/** Text without its marks, as an anchor and a list of headings need it. */
function plainText(inline: Token): string {
  return (inline.children ?? [])
    .map(({ type, content }) => (type === "softbreak" ? " " : content))
    .join("");
}

rules.heading_open = (tokens, i, _options, env) => {
  const { headings, anchors } = written(env);
  const { tag } = tokens[i]!;
  const text = plainText(tokens[i + 1]!);
  const id = anchors.take(text);
  headings.push({ id, text, level: Number(tag.slice(1)) });
  return `<${tag} id="${escapeHtml(id)}" tabindex="-1">`;
};
rules.heading_close = (tokens, i, _options, env) => {
  const { headings, key } = written(env);
  const { id, text, level } = headings.at(-1)!;
  const { tag } = tokens[i]!;
  return `${level === 1 ? "" : anchorLink(key, id, text)}</${tag}>\n`;
};

/** A link beside a heading, to the heading. */
export function anchorLink(key: string, id: string, text: string): string {
  const label = escapeHtml(`Link to ${text}`);
  return ` <a class="anchor" href="${escapeHtml(routeOf(key, id))}" aria-label="${label}">#</a>`;
}

rules.table_open = () => `<div class="wide" role="group" aria-label="Table" tabindex="0"><table>\n`;
rules.table_close = () => "</table></div>\n";

// markdown-it aligns columns by styles, which the page's policy forbids.
const aligned = (tokens: Token[], i: number): string => {
  const { tag } = tokens[i]!;
  return attribute(tokens[i]!, "style").includes("right") ? `<${tag} class="number">` : `<${tag}>`;
};
rules.th_open = aligned;
rules.td_open = aligned;

rules.fence = (tokens, i, _options, env) => {
  const { info, content } = tokens[i]!;
  const { key, hasPrograms, programs } = written(env);
  const code = codeBlock(content, info.split(" ")[0]!);
  if (!hasPrograms || info !== programMark) return code;
  const block = blockOf(content);
  const name = `${key}/${programs.length}`;
  programs.push(block);
  const foot =
    block.runs === null
      ? `<p class="elsewhere">${escapeHtml(block.reason)}</p>`
      : `<div data-program="${escapeHtml(name)}"${block.runs === "gpu" ? " data-gpu" : ""}></div>`;
  return `<div class="program">${code}${foot}</div>\n`;
};
rules.code_block = (tokens, i) => codeBlock(tokens[i]!.content, "");

/** Code that scrolls within itself. */
export function codeBlock(code: string, language: string): string {
  return `<pre tabindex="0"><code>${highlight(code, language)}</code></pre>\n`;
}

rules.image = (tokens, i, _options, env) => {
  const { root, resolve } = written(env);
  const token = tokens[i]!;
  const target = resolve(attribute(token, "src"));
  if (target.kind !== "asset") throw new Error("expected a picture of the repository");
  const size = sizeOf(readFileSync(join(root, target.href.slice("asset:".length))));
  return `<img src="${target.href}" alt="${escapeHtml(token.content)}"${size} loading="lazy">`;
};

/** A picture's size as attributes, so that the page does not move when it comes. */
function sizeOf(file: Buffer): string {
  const isPng = file.subarray(1, 4).toString() === "PNG";
  const [, width, height] = isPng
    ? ["", file.readUInt32BE(16), file.readUInt32BE(20)]
    : (/<svg[^>]* width="(\d+)" height="(\d+)"/.exec(file.toString()) ?? []);
  return width === undefined ? "" : ` width="${width}" height="${height}"`;
}

rules.link_open = (tokens, i, _options, env) => {
  const { resolve, closing } = written(env);
  const target = resolve(attribute(tokens[i]!, "href"));
  if (target.kind === "repository") {
    closing.push("</span>");
    return `<span class="repository" title="${escapeHtml(target.path)}, in the repository">`;
  }
  closing.push("</a>");
  return `<a href="${escapeHtml(target.href)}">`;
};
rules.link_close = (_tokens, _i, _options, env) => written(env).closing.pop()!;

rules.code_inline = (tokens, i, _options, env) => {
  const { routeOfName, closing } = written(env);
  const { content } = tokens[i]!;
  const code = `<code>${escapeHtml(content)}</code>`;
  const route = closing.length === 0 ? routeOfName?.(content) : null;
  return route ? `<a href="${escapeHtml(route)}">${code}</a>` : code;
};

/** HTML of a text, its headings, and its programs. */
export function renderMarkdown(
  text: string,
  surroundings: Surroundings,
): { html: string; headings: Heading[]; programs: Block[] } {
  const env: Written = { ...surroundings, headings: [], programs: [], closing: [] };
  const html = markdown.render(text.replaceAll(/<!--.*?-->\n?/gs, ""), { ...env });
  return { html, headings: env.headings, programs: env.programs };
}
