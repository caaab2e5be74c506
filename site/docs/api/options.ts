/** Types of parameters that have no name outside of the library: what they hold is said where they are taken. */
import type { ESTree } from "vite";
import type { Declaration, Declared, Sources } from "./sources.ts";

/** Those of a function or of a class's constructor, in their order. */
export function unnamedOptions(
  { nodes, module }: Declaration,
  sources: Sources,
  isPublic: (declaration: Declaration) => boolean,
): Declaration[] {
  const found = new Set<Declaration>();
  for (const { start, end } of nodes.flatMap(paramsOf)) {
    for (const reference of module.references) {
      if (reference.start < start || reference.end > end) continue;
      const type = sources.find(module.file, reference.name);
      if (type && !isPublic(type) && hasFields(type)) found.add(type);
    }
  }
  return [...found];
}

function paramsOf(node: Declared): readonly ESTree.Span[] {
  if (node.type === "ClassDeclaration") {
    return node.body.body.flatMap((element) =>
      element.type === "MethodDefinition" && element.kind === "constructor"
        ? element.value.params
        : [],
    );
  }
  const call = node.type === "VariableDeclarator" ? node.init : node;
  return call && "params" in call ? call.params : [];
}

const hasFields = ({ nodes: [node] }: Declaration): boolean =>
  node?.type === "TSInterfaceDeclaration" ||
  (node?.type === "TSTypeAliasDeclaration" && node.typeAnnotation.type === "TSTypeLiteral");
