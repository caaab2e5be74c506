/**
 * The library's own TypeScript, as far as its public names reach: which declaration a name stands for, followed
 * through imports and exports from file to file. Nothing is type-checked; what is shown is what stands there.
 */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync, Visitor, type ESTree } from "vite";

export type Declared =
  | ESTree.Function
  | ESTree.Class
  | ESTree.TSInterfaceDeclaration
  | ESTree.TSTypeAliasDeclaration
  | ESTree.VariableDeclarator;

export type Kind = "class" | "function" | "interface" | "type" | "constant" | "namespace";

/** What a public name stands for. */
export interface Declaration {
  readonly kind: Kind;
  readonly name: string;
  readonly module: Module;
  /** Several where a function is overloaded; none for a namespace. */
  readonly nodes: readonly Declared[];
  /** What stands before it, without the marks of a comment. */
  readonly doc: string | null;
  /** The file that a namespace holds. */
  readonly inside?: string;
}

/** A name in a text that stands for a type or a value. */
export interface Reference {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

interface Elsewhere {
  readonly file: string;
  /** `null` for the whole file. */
  readonly name: string | null;
}

export interface Module {
  readonly file: string;
  readonly text: string;
  readonly references: readonly Reference[];
  /** What stands at the top of the file. */
  readonly header: string | null;
  readonly declared: Map<string, { nodes: Declared[]; start: number }>;
  readonly imported: Map<string, Elsewhere>;
  /** In the file's order; those of `export *` stand in `passedOn`. */
  readonly exported: Map<string, string | Elsewhere>;
  readonly passedOn: string[];
  docBefore(start: number): string | null;
}

export class Sources {
  private readonly root: string;
  private readonly modules = new Map<string, Module>();
  private readonly found = new Map<string, Declaration | null>();

  constructor(root: string) {
    this.root = root;
  }

  module(file: string): Module {
    let module = this.modules.get(file);
    if (!module) this.modules.set(file, (module = readModule(this.root, file)));
    return module;
  }

  /** The public names of a file, in its order. */
  exportsOf(file: string): Map<string, Declaration> {
    const { exported, passedOn } = this.module(file);
    const names = [...exported.keys()].map((name) => [name, this.exportOf(file, name)] as const);
    const all = new Map(names.flatMap(([name, found]) => (found ? [[name, found]] : [])));
    for (const other of passedOn) {
      for (const [name, found] of this.exportsOf(other)) if (!all.has(name)) all.set(name, found);
    }
    return all;
  }

  exportOf(file: string, name: string): Declaration | null {
    const { exported, passedOn } = this.module(file);
    const target = exported.get(name);
    if (typeof target === "string") return this.find(file, target);
    if (target) return this.elsewhere(target, name);
    for (const other of passedOn) {
      const found = this.exportOf(other, name);
      if (found) return found;
    }
    return null;
  }

  /** What a name stands for inside a file; `null` for what is not the library's. */
  find(file: string, name: string): Declaration | null {
    const key = `${file}#${name}`;
    const known = this.found.get(key);
    if (known !== undefined) return known;
    const module = this.module(file);
    const own = module.declared.get(name);
    const target = module.imported.get(name);
    let declaration: Declaration | null = null;
    if (own)
      declaration = {
        kind: kindOf(own.nodes[0]!),
        name,
        module,
        nodes: own.nodes,
        doc: module.docBefore(own.start),
      };
    else if (target) declaration = this.elsewhere(target, name);
    this.found.set(key, declaration);
    return declaration;
  }

  private elsewhere({ file, name }: Elsewhere, as: string): Declaration | null {
    if (!file.startsWith("src/")) return null;
    if (name !== null) return this.exportOf(file, name);
    const module = this.module(file);
    return { kind: "namespace", name: as, module, nodes: [], doc: module.header, inside: file };
  }
}

function kindOf(node: Declared): Kind {
  if (node.type === "ClassDeclaration" || node.type === "ClassExpression") return "class";
  if (node.type === "TSInterfaceDeclaration") return "interface";
  if (node.type === "TSTypeAliasDeclaration") return "type";
  if (node.type !== "VariableDeclarator") return "function";
  return node.init?.type === "ArrowFunctionExpression" ? "function" : "constant";
}

const nameOf = (name: ESTree.ModuleExportName): string =>
  name.type === "Literal" ? name.value : name.name;

function readModule(root: string, file: string): Module {
  const text = readFileSync(join(root, file), "utf8");
  const { program, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`);
  const docs = new Map(
    comments
      .filter(({ type, value }) => type === "Block" && value.startsWith("*"))
      .map(({ end, value }) => [end, value.replaceAll(/^\s*\* ?/gm, "").trim()]),
  );
  const module: Module = {
    file,
    text,
    references: referencesIn(program),
    header: docs.get(/^\/\*\*.*?\*\//s.exec(text)?.[0].length ?? -1) ?? null,
    declared: new Map(),
    imported: new Map(),
    exported: new Map(),
    passedOn: [],
    docBefore(start) {
      let end = start;
      while (/\s/.test(text[end - 1] ?? "")) end -= 1;
      return docs.get(end) ?? null;
    },
  };
  for (const statement of program.body) read(module, statement);
  return module;
}

function read(module: Module, statement: ESTree.Program["body"][number]): void {
  const { exported, imported } = module;
  const fileOf = (source: string): string =>
    source.startsWith(".") ? posix.join(posix.dirname(module.file), source) : source;
  switch (statement.type) {
    case "ImportDeclaration":
      for (const specifier of statement.specifiers) {
        const name = specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : null;
        imported.set(specifier.local.name, { file: fileOf(statement.source.value), name });
      }
      break;
    case "ExportAllDeclaration": {
      const file = fileOf(statement.source.value);
      if (statement.exported) exported.set(nameOf(statement.exported), { file, name: null });
      else module.passedOn.push(file);
      break;
    }
    case "ExportNamedDeclaration": {
      const { source } = statement;
      for (const { local, exported: as } of statement.specifiers) {
        const name = nameOf(local);
        exported.set(nameOf(as), source ? { file: fileOf(source.value), name } : name);
      }
      for (const name of declare(module, statement.declaration, statement.start)) {
        exported.set(name, name);
      }
      break;
    }
    default:
      declare(module, statement, statement.start);
  }
}

/** Notes what a statement declares. Returns the names. */
function declare({ declared }: Module, statement: ESTree.Node | null, start: number): string[] {
  const note = (name: string, node: Declared): string[] => {
    const known = declared.get(name);
    if (known) known.nodes.push(node);
    else declared.set(name, { nodes: [node], start });
    return [name];
  };
  switch (statement?.type) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
    case "ClassDeclaration":
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return statement.id ? note(statement.id.name, statement) : [];
    case "VariableDeclaration":
      return statement.declarations.flatMap((one) =>
        one.id.type === "Identifier" ? note(one.id.name, one) : [],
      );
    default:
      return [];
  }
}

function referencesIn(program: ESTree.Program): Reference[] {
  const references: Reference[] = [];
  const note = (node: ESTree.Node | null): void => {
    if (node?.type === "Identifier")
      references.push({ start: node.start, end: node.end, name: node.name });
  };
  new Visitor({
    TSTypeReference: ({ typeName }) => note(typeName),
    TSInterfaceHeritage: ({ expression }) => note(expression),
    TSClassImplements: ({ expression }) => note(expression),
    TSTypeQuery: ({ exprName }) => note(exprName),
    ClassDeclaration: ({ superClass }) => note(superClass),
  }).visit(program);
  return references.toSorted((a, b) => a.start - b.start);
}

/** The files behind the package's public names, from its `exports`. */
export function readEntries(root: string): { readonly name: string; readonly file: string }[] {
  const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    name: string;
    exports: Record<string, string | { readonly default: string }>;
  };
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [
          {
            name: posix.join(name, path),
            file: target.default.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts"),
          },
        ],
  );
}
