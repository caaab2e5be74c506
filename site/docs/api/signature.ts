/** Signatures as they stand in the sources, with links at the names of types. */
import type { ESTree } from "vite";
import { highlight } from "../highlight.ts";
import { escapeHtml } from "../page.ts";
import type { Module } from "./sources.ts";

/** Where a name that is used in a file leads, if anywhere. */
export type LinkOf = (module: Module, name: string) => string | null;

type Piece = string | { readonly text: string; readonly href: string };
/** Text in which some words are links. */
export type Signature = readonly Piece[];

/** What has parameters. */
interface Callable {
  readonly typeParameters?: ESTree.TSTypeParameterDeclaration | null;
  readonly params: readonly ESTree.ParamPattern[];
  readonly returnType?: ESTree.TSTypeAnnotation | null;
}

/** Longer ones take a line for each parameter. */
const WIDTH = 80;

export const textOf = (signature: Signature): string =>
  signature.map((piece) => (typeof piece === "string" ? piece : piece.text)).join("");

export class Writer {
  private readonly module: Module;
  private readonly linkOf: LinkOf;

  constructor(module: Module, linkOf: LinkOf) {
    this.module = module;
    this.linkOf = linkOf;
  }

  /** A part of the file, moved to the left as far as the line in which it begins. */
  slice({ start, end }: ESTree.Span): Piece[] {
    const { text, references } = this.module;
    const lineStart = text.lastIndexOf("\n", start) + 1;
    const indent = /^ */.exec(text.slice(lineStart, start))![0];
    const cut = (from: number, to: number): string =>
      text.slice(from, to).replaceAll(`\n${indent}`, "\n");
    const pieces: Piece[] = [];
    let at = start;
    for (const reference of references) {
      if (reference.start < start || reference.end > end) continue;
      const href = this.linkOf(this.module, reference.name);
      if (href === null) continue;
      pieces.push(cut(at, reference.start), { text: reference.name, href });
      at = reference.end;
    }
    return [...pieces, cut(at, end)];
  }

  optional(node: ESTree.Span | null | undefined): Piece[] {
    return node ? this.slice(node) : [];
  }

  /** A function, method or constructor, under a name. */
  call(name: string, { typeParameters, params, returnType }: Callable): Piece[] {
    const shown = params.map((param) => this.param(param)).filter((pieces) => pieces !== null);
    const around = [name, ...this.optional(typeParameters)];
    const end = this.optional(returnType);
    const line = [...around, "(", ...joined(shown, ", "), ")", ...end];
    const text = textOf(line);
    if (shown.length === 0 || (text.length <= WIDTH && !text.includes("\n"))) return line;
    const inner = joined(shown, ",\n").map(deeper);
    return [...around, "(\n  ", ...inner, ",\n)", ...end];
  }

  /** A parameter; one that is taken apart at once is called `options`. `null` if it is internal. */
  private param(param: ESTree.ParamPattern): Piece[] | null {
    if (this.module.text.slice(param.start, param.end).includes("@internal")) return null;
    if (param.type === "RestElement" || param.type === "TSParameterProperty")
      return this.slice(param);
    const hasDefault = param.type === "AssignmentPattern";
    const target = hasDefault ? param.left : param;
    if (target.type === "Identifier" && !hasDefault) return this.slice(param);
    const name = target.type === "Identifier" ? target.name : "options";
    const type = "typeAnnotation" in target ? this.optional(target.typeAnnotation) : [];
    return [`${name}${hasDefault ? "?" : ""}`, ...type];
  }
}

const deeper = (piece: Piece): Piece =>
  typeof piece === "string" ? piece.replaceAll("\n", "\n  ") : piece;

function joined(lists: readonly Piece[][], between: string): Piece[] {
  return lists.flatMap((pieces, i) => (i === 0 ? pieces : [between, ...pieces]));
}

/** As HTML, coloured. */
export function signatureHtml(signature: Signature): string {
  const html = highlight(textOf(signature), "ts");
  const ends = new Map<number, string>();
  let offset = 0;
  for (const piece of signature) {
    const text = typeof piece === "string" ? piece : piece.text;
    if (typeof piece !== "string") ends.set(offset, piece.href).set(offset + text.length, "");
    offset += text.length;
  }
  let [at, written, isOpen] = [0, "", false];
  // Tags take no room in the text, an entity that of one character.
  for (const [token] of html.matchAll(/<[^>]+>|&[^;]+;|[^<&]/gu)) {
    const isTag = token.startsWith("<");
    const mark = ends.get(at);
    if (isOpen && mark === "") {
      written += "</a>";
      isOpen = false;
      ends.delete(at);
    }
    if (!isTag && mark) {
      written += `<a href="${escapeHtml(mark)}">`;
      isOpen = true;
      ends.delete(at);
    }
    written += token;
    if (!isTag) at += token.startsWith("&") ? 1 : token.length;
  }
  return isOpen ? `${written}</a>` : written;
}

/** Without type arguments such as `<H>`, which say nothing outside of the declaration they come from. */
export function withoutArguments(signature: Signature): Signature {
  return signature.map((piece) =>
    typeof piece === "string" ? piece.replaceAll(/^<[A-Z]>/g, "") : piece,
  );
}
