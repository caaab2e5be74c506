/** What the reference says of one name, as HTML: its signature, its docstring, and its members. */
import type { ESTree } from "vite";
import { anchorLink, codeBlock, renderMarkdown } from "../markdown.ts";
import { Anchors, escapeHtml, type Entry } from "../page.ts";
import type { Chapter } from "./chapters.ts";
import { readDoc, summaryOf, type Doc } from "./docstring.ts";
import { MemberReader, type Member, type Members } from "./members.ts";
import type { Names } from "./names.ts";
import { unnamedOptions } from "./options.ts";
import { signatureHtml, Writer, type Signature } from "./signature.ts";
import type { Declaration, Module, Sources } from "./sources.ts";

/** Where a text stands. */
interface Scope {
  readonly chapter: Chapter;
  readonly module: Module;
  /** Names that stand for a member of what is described. */
  readonly owner?: { readonly declaration: Declaration; readonly members: ReadonlySet<string> };
}

export class Sections {
  readonly entries: Entry[] = [];
  /** Public names that nothing is said of. */
  readonly undocumented: string[] = [];
  /** Links of docstrings to what is not there. */
  readonly broken = new Set<string>();
  private readonly root: string;
  private readonly sources: Sources;
  private readonly names: Names;
  private readonly members: MemberReader;
  private readonly linkOf: (module: Module, name: string) => string | null;

  constructor(root: string, sources: Sources, names: Names) {
    this.root = root;
    this.sources = sources;
    this.names = names;
    this.linkOf = (module, name) => names.routeFrom(module, name);
    this.members = new MemberReader(sources, this.linkOf, (one) => names.placeOf(one) !== null);
  }

  /** A name with all there is to say of it. */
  section(chapter: Chapter, name: string, declaration: Declaration): string {
    const { kind, module } = declaration;
    const from = chapter.namespace ?? chapter.importedFrom;
    const page = `api/${chapter.key}`;
    this.enter(page, name, `${kind} · ${from}`);
    const title = escapeHtml(name);
    const heading = `<h2 id="${title}" tabindex="-1"><code>${title}</code> <span class="kind">${kind}</span>${anchorLink(page, name, name)}</h2>`;
    const place = this.names.placeOf(declaration)!;
    if (place.chapter !== chapter) {
      const link = codeLink(this.names.routeTo(declaration)!, place.name);
      return `<section>${heading}\n<p>The same as ${link} of <code>${place.chapter.importedFrom}</code>.</p></section>\n`;
    }
    const doc = readDoc(docOf(declaration));
    if (!doc) this.undocumented.push(`${from}: ${name}`);
    const members = this.members.read(declaration);
    const all = [...members.own, ...members.inherited].flatMap((one) =>
      "names" in one ? one.names : [one.name],
    );
    const scope = { chapter, module, owner: { declaration, members: new Set(all) } };
    const signature = this.signature(declaration, name);
    const code = `<pre tabindex="0"><code>${signatureHtml(signature)}</code></pre>\n`;
    const options = this.options(name, declaration, scope);
    return `<section>${heading}\n${signature.length === 0 ? "" : code}${this.doc(doc, scope)}${this.memberList(name, members, scope, options)}</section>\n`;
  }

  /** What is said of it in a sentence. */
  summary(chapter: Chapter, declaration: Declaration): string {
    const doc = readDoc(docOf(declaration));
    return doc ? this.inline(summaryOf(doc), { chapter, module: declaration.module }) : "";
  }

  markdown(text: string, scope: Scope): string {
    return renderMarkdown(this.linked(text, scope), {
      key: `api/${scope.chapter.key}`,
      root: this.root,
      hasPrograms: false,
      anchors: new Anchors(),
      resolve: (href) => ({ href, kind: href.startsWith("#/") ? "page" : "site" }),
      routeOfName: (name) => this.routeOfName(name, scope),
    }).html;
  }

  /** Of a name in the font of code; not of what is being described. */
  private routeOfName(name: string, { chapter, module, owner }: Scope): string | null {
    if (!/^[A-Za-z]*[A-Z]/.test(name)) return null;
    const found = this.names.find(module, chapter, name);
    return found && found !== owner?.declaration ? this.names.routeTo(found) : null;
  }

  private enter(page: string, id: string, from: string): void {
    this.entries.push({ name: id, at: `${page}?at=${encodeURIComponent(id)}`, from });
  }

  /** As it is declared, without what stands in the list of members. */
  private signature(declaration: Declaration, name: string): Signature {
    const { kind, nodes, module } = declaration;
    const writer = new Writer(module, this.linkOf);
    const [node] = nodes;
    if (kind === "function") {
      const calls = nodes.flatMap((one) => {
        const call = one.type === "VariableDeclarator" ? one.init : one;
        const isOverloaded = nodes.length > 1 && one.type !== "TSDeclareFunction";
        return call && "params" in call && !isOverloaded ? [call] : [];
      });
      return calls.flatMap((call, i) => [
        i > 0 ? "\n" : "",
        ...writer.call(`function ${name}`, call),
      ]);
    }
    if (node?.type === "ClassDeclaration" || node?.type === "TSInterfaceDeclaration") {
      return this.head(node, declaration, writer);
    }
    if (node?.type === "TSTypeAliasDeclaration") {
      const isObject = node.typeAnnotation.type === "TSTypeLiteral";
      return isObject ? [] : ["type ", ...writer.slice({ start: node.id.start, end: node.end })];
    }
    if (!node) return [];
    return ["const ", ...writer.slice(node)].map((piece) =>
      typeof piece === "string" ? piece.replace("/* @__PURE__ */ ", "") : piece,
    );
  }

  private head(
    node: ESTree.Class | ESTree.TSInterfaceDeclaration,
    declaration: Declaration,
    writer: Writer,
  ): Signature {
    const isClass = node.type !== "TSInterfaceDeclaration";
    const start = [
      `${isClass ? "class" : "interface"} ${declaration.name}`,
      ...writer.optional(node.typeParameters),
    ];
    const bases = isClass
      ? this.basesOf(node, declaration, writer)
      : node.extends.map((base) => writer.slice(base));
    return [...start, ...bases.flatMap((base, i) => [i === 0 ? " extends " : ", ", ...base])];
  }

  /** Not those that are the library's own affair. */
  private basesOf(
    { superClass, superTypeArguments }: ESTree.Class,
    declaration: Declaration,
    writer: Writer,
  ): Signature[] {
    const bases = this.members.basesOf(declaration).filter(({ isMaker }) => !isMaker);
    if (bases.some(({ base }) => this.names.routeTo(base) === null)) return [];
    if (superClass?.type === "Identifier") {
      return [[...writer.slice(superClass), ...writer.optional(superTypeArguments)]];
    }
    return bases.map(({ base }) => [{ text: base.name, href: this.names.routeTo(base)! }]);
  }

  /** @param options stand between what it has itself and what it has from others. */
  private memberList(
    name: string,
    { own, inherited }: Members,
    scope: Scope,
    options = "",
  ): string {
    const list = own.map((member) => this.member(name, member, scope)).join("");
    const further = inherited.map(({ from, names }) => {
      const links = names.map((one) => codeLink(this.names.routeTo(from, one)!, one));
      return `<p class="inherited">From ${codeLink(this.names.routeTo(from)!, from.name)}: ${links.join(", ")}.</p>\n`;
    });
    const members = list === "" ? "" : `<dl class="members">\n${list}</dl>\n`;
    return `${members}${options}${further.join("")}`;
  }

  /** What is in the types of parameters that have no place of their own. */
  private options(name: string, declaration: Declaration, scope: Scope): string {
    const isPublic = (one: Declaration): boolean => this.names.placeOf(one) !== null;
    return unnamedOptions(declaration, this.sources, isPublic)
      .map((type) => {
        const { own, inherited } = this.members.read(type);
        const fresh = own.filter((member) => !scope.owner?.members.has(member.name));
        const inner = { chapter: scope.chapter, module: type.module };
        const list = this.memberList(name, { own: fresh, inherited }, inner);
        return `<p class="fields"><code>${type.name}</code></p>\n${list}`;
      })
      .join("");
  }

  private member(owner: string, { name, signatures, doc }: Member, scope: Scope): string {
    const { key, namespace, importedFrom } = scope.chapter;
    const id = `${owner}.${name}`;
    const page = `api/${key}`;
    this.enter(page, id, namespace ?? importedFrom);
    const lines = signatures.map((one) => signatureHtml(one)).join("\n");
    return `<dt id="${escapeHtml(id)}" tabindex="-1"><code>${lines}</code>${anchorLink(page, id, id)}</dt>
<dd>${this.doc(doc, scope)}</dd>\n`;
  }

  private doc(doc: Doc | null, scope: Scope): string {
    if (!doc) return "";
    const params = doc.params.map(
      ({ name, text }) => `<code>${escapeHtml(name)}</code>: ${this.inline(text, scope)}`,
    );
    // `{OptionError} if …`, as the tag has it.
    const throws = doc.throws.map((text) =>
      this.inline(text.replaceAll(/\{([A-Z]\w+)\}/g, "{@link $1}"), scope),
    );
    const returns = doc.returns === null ? [] : [this.inline(doc.returns, scope)];
    return [
      this.markdown(doc.text, scope),
      about("Parameters", params),
      about("Returns", returns),
      about("Throws", throws),
      ...doc.examples.map((code) => codeBlock(`${code}\n`, "ts")),
    ].join("");
  }

  /** Without a paragraph around it. */
  private inline(text: string, scope: Scope): string {
    return this.markdown(text, scope)
      .trim()
      .replace(/^<p>(.*)<\/p>$/s, "$1");
  }

  /** `{@link name}` as links of Markdown. */
  private linked(text: string, { chapter, module, owner }: Scope): string {
    return text.replaceAll(/\{@link ([\w.]+)\}/g, (_, path: string) => {
      if (owner?.members.has(path)) {
        return `[\`${path}\`](${this.names.routeTo(owner.declaration, path)})`;
      }
      const [name = "", member] = path.split(".");
      const found = this.names.find(module, chapter, name);
      if (!found) this.broken.add(`${module.file}: ${path}`);
      const href = found && this.names.routeTo(found, member);
      return href === null ? `\`${path}\`` : `[\`${path}\`](${href})`;
    });
  }
}

/** A file of rules is about its rule, and says so at its top. */
function docOf({ doc, kind, module }: Declaration): string | null {
  return (
    doc ?? (kind === "constant" && module.file.startsWith("src/rules/") ? module.header : null)
  );
}

const codeLink = (href: string, text: string): string =>
  `<a href="${escapeHtml(href)}"><code>${escapeHtml(text)}</code></a>`;

const about = (label: string, items: readonly string[]): string =>
  items.length === 0
    ? ""
    : `<div class="about"><p>${label}</p><ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul></div>\n`;
