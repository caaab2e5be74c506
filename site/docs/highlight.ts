/** Colours code while the page is built: words get classes, which theme and docs.css paint. */
import highlighter from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import python from "highlight.js/lib/languages/python";
import typescript from "highlight.js/lib/languages/typescript";
import wasm from "highlight.js/lib/languages/wasm";
import { escapeHtml } from "./page.ts";

highlighter.registerLanguage("ts", typescript);
highlighter.registerAliases(["js"], { languageName: "ts" });
highlighter.registerLanguage("python", python);
highlighter.registerLanguage("bash", bash);
highlighter.registerLanguage("wasm", wasm);

/** Code as HTML; of a language that is not known here, it is plain. */
export function highlight(code: string, language: string): string {
  if (!highlighter.getLanguage(language)) return escapeHtml(code);
  return highlighter.highlight(code, { language, ignoreIllegals: true }).value;
}
