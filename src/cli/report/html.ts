/**
 * The report as one HTML file: what was done, the table, the figures, and the facts that somebody
 * needs to do it again.
 *
 * The file stands alone. It has no script, loads nothing, and its content security policy forbids
 * both; so it can be mailed, kept, or put on any server. It follows the reader's light or dark
 * theme, except that the figures keep their white card, for which their colours were chosen.
 */

import { COLUMNS, explain, OPTIONS } from "./columns.ts";
import type { ComparisonRow } from "./curves.ts";
import { escapeText } from "./svg.ts";

/** What the page shows. All texts are plain text; only `svg` is taken as it is. */
export interface ReportContent {
  readonly title: string;
  /** The introduction; an empty line starts a new paragraph. */
  readonly intro: string;
  readonly rows: readonly ComparisonRow[];
  readonly figures: readonly { title: string; caption: string; svg: string }[];
  /** What was run where: pairs of a name and a value. */
  readonly facts: readonly (readonly [string, string])[];
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2328; --muted: #57606a; --line: #d8dee4; --page: #f6f8fa;
  --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --muted: #9aa4af; --line: #30363d; --page: #0d1117; --card: #161b22; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 56rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { margin: 0 0 0.75rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 2.75rem 0 0.75rem; font-size: 1.25rem; }
p { margin: 0 0 0.75rem; max-width: 44rem; }
.note, figcaption { color: var(--muted); font-size: 0.9rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); margin: 0 0 0.75rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.85rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: 0.5rem 0.65rem; text-align: left; vertical-align: bottom; white-space: nowrap; }
thead th { font-weight: 600; line-height: 1.3; border-bottom: 1px solid var(--line); }
tbody th, tbody td { vertical-align: baseline; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; }
tbody th small { display: block; font-size: 0.85em; font-weight: 400; color: var(--muted); }
.right { text-align: right; }
figure { margin: 0 0 2rem; }
.card { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px;
  background: #ffffff; }
.card svg { display: block; width: 100%; min-width: 34rem; height: auto; }
figcaption { margin-top: 0.5rem; max-width: 44rem; }
figcaption strong { color: var(--ink); font-weight: 600; }
.facts th { width: 1%; color: var(--muted); font-weight: 400; }
.facts td { white-space: normal; overflow-wrap: anywhere; }
`;

/** The whole page. */
export function htmlReport(content: ReportContent): string {
  const { title, intro, rows, figures, facts } = content;
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  const sections = [
    `<h1>${escapeText(title)}</h1>`,
    ...paragraphs(intro),
    ...(rows.length > 0 ? [`<h2>Results</h2>`, comparison(rows)] : []),
    ...(figures.length > 0 ? [`<h2>Learning curves</h2>`, ...figures.map(figure)] : []),
    ...(facts.length > 0 ? [`<h2>How it was run</h2>`, factTable(facts)] : []),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${sections.join("\n")}
</main>
</body>
</html>
`;
}

function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== "")
    .map((part) => `<p>${escapeText(part.trim())}</p>`);
}

/** The table; an optimizer's options stand below its name, which keeps it narrow. */
function comparison(rows: readonly ComparisonRow[]): string {
  const columns = COLUMNS.filter((column) => column !== OPTIONS);
  const heads = columns.map(
    ({ head, align }) =>
      `<th scope="col" class="${align}">${escapeText(head).replace("\n", "<br>")}</th>`,
  );
  const body = rows.map((row) => {
    const options = row.options === "" ? "" : ` <small>${escapeText(row.options)}</small>`;
    const cells = columns.map(({ text, align }, i) => {
      const value = escapeText(text(row));
      return i === 0
        ? `<th scope="row">${value}${options}</th>`
        : `<td class="${align}">${value}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  const notes = explain(rows).map((line) => escapeText(line));
  return (
    `<div class="wide"><table>\n<thead><tr>${heads.join("")}</tr></thead>\n` +
    `<tbody>\n${body.join("\n")}\n</tbody></table></div>\n<p class="note">${notes.join(" ")}</p>`
  );
}

function figure({ title, caption, svg }: ReportContent["figures"][number], index: number): string {
  return (
    `<figure>\n<div class="card">${svg.trim()}</div>\n` +
    `<figcaption><strong>Figure ${index + 1}. ${escapeText(title)}.</strong> ` +
    `${escapeText(caption)}</figcaption>\n</figure>`
  );
}

function factTable(facts: ReportContent["facts"]): string {
  const lines = facts.map(
    ([name, value]) =>
      `<tr><th scope="row">${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`,
  );
  return `<div class="wide"><table class="facts"><tbody>\n${lines.join("\n")}\n</tbody></table></div>`;
}
