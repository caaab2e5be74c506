/** What a class or an interface has, each with its signature and what is said of it. */
import type { ESTree } from "vite";
import { readDoc, type Doc } from "./docstring.ts";
import { Writer, withoutArguments, type LinkOf, type Signature } from "./signature.ts";
import type { Declaration, Module, Sources } from "./sources.ts";

export interface Member {
  readonly name: string;
  /** Several where it is overloaded. */
  readonly signatures: readonly Signature[];
  readonly doc: Doc | null;
}

export interface Members {
  readonly own: readonly Member[];
  /** Of public classes and interfaces that are extended, the nearest first. */
  readonly inherited: readonly { readonly from: Declaration; readonly names: readonly string[] }[];
}

export interface Base {
  readonly base: Declaration;
  /** It says how one is made, and what the class has besides what is made. */
  readonly isMaker: boolean;
}

type Element = ESTree.ClassElement | ESTree.TSSignature;

export class MemberReader {
  private readonly sources: Sources;
  private readonly linkOf: LinkOf;
  private readonly isPublic: (declaration: Declaration) => boolean;

  constructor(sources: Sources, linkOf: LinkOf, isPublic: (declaration: Declaration) => boolean) {
    this.sources = sources;
    this.linkOf = linkOf;
    this.isPublic = isPublic;
  }

  /** Members, also those of what is extended but not public itself. */
  read(declaration: Declaration): Members {
    const own = new Map(this.declaredIn(declaration).map((member) => [member.name, member]));
    const inherited: { from: Declaration; names: readonly string[] }[] = [];
    for (const { base, isMaker } of this.basesOf(declaration)) {
      const theirs = this.read(base);
      const fresh = theirs.own.filter(({ name }) => !own.has(name));
      const isOpen = !isMaker && this.isPublic(base);
      for (const member of fresh) {
        if (member.name === "constructor") own.set(member.name, renamed(member, base, declaration));
        else if (!isOpen) own.set(member.name, isMaker ? madeStatic(member) : member);
      }
      const names = fresh.map(({ name }) => name).filter((name) => name !== "constructor");
      if (isOpen && names.length > 0) inherited.push({ from: base, names });
      inherited.push(...theirs.inherited);
    }
    return { own: inOrder([...own.values()]), inherited };
  }

  /** What a class or interface extends, as far as it is the library's. */
  basesOf({ nodes: [node], module }: Declaration): Base[] {
    const find = (name: string): Base[] => {
      const found = this.sources.find(module.file, name);
      return found ? [{ base: found, isMaker: false }] : [];
    };
    if (node?.type === "TSInterfaceDeclaration") {
      return node.extends.flatMap(({ expression }) =>
        expression.type === "Identifier" ? find(expression.name) : [],
      );
    }
    if (node?.type !== "ClassDeclaration" || !node.superClass) return [];
    const { superClass } = node;
    if (superClass.type === "Identifier") return find(superClass.name);
    return superClass.type === "CallExpression" && superClass.callee.type === "Identifier"
      ? find(superClass.callee.name).flatMap(({ base }) => this.madeBy(base))
      : [];
  }

  /** What `optimizerClass(rule)` returns, and what that makes: an optimizer. */
  private madeBy({ nodes: [maker], module }: Declaration): Base[] {
    const shape = maker && "returnType" in maker ? this.named(maker.returnType, module) : null;
    const [node] = shape?.nodes ?? [];
    if (!shape || node?.type !== "TSInterfaceDeclaration") return [];
    const makes = node.body.body.find(({ type }) => type === "TSConstructSignatureDeclaration");
    const made = makes && "returnType" in makes ? this.named(makes.returnType, shape.module) : null;
    return [{ base: shape, isMaker: true }, ...(made ? [{ base: made, isMaker: false }] : [])];
  }

  private named(
    annotation: ESTree.TSTypeAnnotation | null | undefined,
    { file }: Module,
  ): Declaration | null {
    const type = annotation?.typeAnnotation;
    const isName = type?.type === "TSTypeReference" && type.typeName.type === "Identifier";
    return isName
      ? this.sources.find(file, (type.typeName as ESTree.IdentifierReference).name)
      : null;
  }

  private declaredIn({ nodes: [node], name, module }: Declaration): Member[] {
    const writer = new Writer(module, this.linkOf);
    const members: {
      name: string;
      signatures: Signature[];
      doc: Doc | null;
      isOverload: boolean;
    }[] = [];
    for (const element of elementsOf(node)) {
      if (isHidden(element)) continue;
      const doc = readDoc(module.docBefore(element.start));
      if (doc?.isInternal) continue;
      const read = signatureOf(element, name, writer);
      if (!read) continue;
      const isOverload =
        "value" in element && element.value?.type === "TSEmptyBodyFunctionExpression";
      const last = members.at(-1);
      if (last?.name !== read.name)
        members.push({ ...read, signatures: [read.signature], doc, isOverload });
      else if (isSetter(element)) last.signatures = [read.signature];
      else if (isOverload || !last.isOverload) last.signatures.push(read.signature);
    }
    return members;
  }
}

function renamed(maker: Member, from: Declaration, to: Declaration): Member {
  const signatures = maker.signatures.map(([first, ...rest]) => [
    String(first).replace(`new ${from.name}`, `new ${to.name}`),
    ...rest,
  ]);
  return { ...maker, signatures };
}

const madeStatic = (member: Member): Member => ({
  ...member,
  signatures: member.signatures.map((signature) => ["static ", ...withoutArguments(signature)]),
});

function elementsOf(node: Declaration["nodes"][number] | undefined): readonly Element[] {
  switch (node?.type) {
    case "ClassDeclaration":
    case "TSInterfaceDeclaration":
      return node.body.body;
    case "TSTypeAliasDeclaration":
      return node.typeAnnotation.type === "TSTypeLiteral" ? node.typeAnnotation.members : [];
    default:
      return [];
  }
}

const isSetter = (element: Element): boolean => "kind" in element && element.kind === "set";

function isHidden(element: Element): boolean {
  if (element.type === "StaticBlock") return true;
  if ("accessibility" in element && element.accessibility && element.accessibility !== "public")
    return true;
  if (!("key" in element)) return false;
  const { key, computed } = element;
  return (
    key.type === "PrivateIdentifier" ||
    (computed && key.type === "Identifier" && !(key.name in symbols))
  );
}

function signatureOf(
  element: Element,
  owner: string,
  writer: Writer,
): { name: string; signature: Signature } | null {
  switch (element.type) {
    case "MethodDefinition":
    case "TSAbstractMethodDefinition": {
      const name = nameOf(element, writer);
      const at = `${element.static ? "static " : ""}${name}`;
      if (element.kind === "constructor") {
        return { name: "constructor", signature: writer.call(`new ${owner}`, element.value) };
      }
      if (element.kind === "method") return { name, signature: writer.call(at, element.value) };
      if (element.kind === "set") return { name, signature: [at, ...setterType(element, writer)] };
      return { name, signature: [`readonly ${at}`, ...writer.optional(element.value.returnType)] };
    }
    case "TSMethodSignature": {
      const name = nameOf(element, writer);
      return { name, signature: writer.call(`${name}${element.optional ? "?" : ""}`, element) };
    }
    case "PropertyDefinition":
    case "TSAbstractPropertyDefinition":
    case "TSPropertySignature":
      return property(element, writer);
    case "TSCallSignatureDeclaration":
      return { name: "call", signature: writer.call("", element) };
    case "TSConstructSignatureDeclaration": {
      const signature = writer.call(`new ${owner}`, { params: element.params });
      return { name: "constructor", signature: withoutArguments(signature) };
    }
    case "TSIndexSignature":
      return { name: "index", signature: writer.slice(element) };
    default:
      return null;
  }
}

/** Keys that go by names of the library's own; others are for the engine alone. */
const symbols: Readonly<Record<string, string>> = { disposeKey: "Symbol.dispose" };

type Keyed = Extract<Element, { readonly key: unknown; readonly computed: boolean }>;

function nameOf({ key, computed }: Keyed, writer: Writer): string {
  const text = writer.slice(key).join("");
  return computed ? `[${symbols[text] ?? text}]` : text;
}

function property(
  element: ESTree.PropertyDefinition | ESTree.TSPropertySignature,
  writer: Writer,
): { name: string; signature: Signature } {
  const name = nameOf(element, writer);
  const isClass = element.type !== "TSPropertySignature";
  const words = [
    element.static && "static",
    // Of interfaces nearly all that is there is read only, so saying it says nothing.
    isClass && element.readonly && "readonly",
    `${name}${element.optional ? "?" : ""}`,
  ];
  const type = element.typeAnnotation
    ? writer.slice(element.typeAnnotation)
    : isClass && element.value
      ? [" = ", ...writer.slice(element.value)]
      : [];
  return { name, signature: [words.filter(Boolean).join(" "), ...type] };
}

function setterType(element: ESTree.MethodDefinition, writer: Writer): Signature {
  const [param] = element.value.params;
  return param && "typeAnnotation" in param ? writer.optional(param.typeAnnotation) : [];
}

/** How to make one comes first. */
const inOrder = (members: Member[]): Member[] =>
  members.toSorted((a, b) => Number(b.name === "constructor") - Number(a.name === "constructor"));
