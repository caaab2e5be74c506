/** Where the names of the reference have their places: one for each declaration, however many modules export it. */
import { routeOf } from "../page.ts";
import type { Chapter } from "./chapters.ts";
import type { Declaration, Module, Sources } from "./sources.ts";

export interface Place {
  readonly chapter: Chapter;
  readonly name: string;
}

const identity = ({ module, name, inside }: Declaration): string =>
  `${inside ?? module.file}#${name}`;

export class Names {
  private readonly sources: Sources;
  private readonly chapters: readonly Chapter[];
  /** The first page that has a name is where it is described. */
  private readonly places = new Map<string, Place>();

  constructor(sources: Sources, chapters: readonly Chapter[]) {
    this.sources = sources;
    this.chapters = chapters;
    for (const chapter of chapters) {
      for (const [name, declaration] of chapter.declarations) {
        const key = identity(declaration);
        if (!this.places.has(key)) this.places.set(key, { chapter, name });
      }
    }
  }

  placeOf(declaration: Declaration): Place | null {
    return this.places.get(identity(declaration)) ?? null;
  }

  /** The address of a declaration, or of one of its members; `null` if it is not public. */
  routeTo(declaration: Declaration, member?: string): string | null {
    const place = this.placeOf(declaration);
    if (!place) return null;
    const id = member === undefined ? place.name : `${place.name}.${member}`;
    return routeOf(`api/${place.chapter.key}`, id);
  }

  /** The address of a name that is used in a file. */
  routeFrom(module: Module, name: string): string | null {
    const found = this.sources.find(module.file, name);
    return found && this.routeTo(found);
  }

  /** What a docstring in a file means: a name of the file, or a public one, of the same module if it can be. */
  find(module: Module, chapter: Chapter, name: string): Declaration | null {
    const near = this.sources.find(module.file, name);
    if (near) return near;
    const rank = (one: Chapter): number =>
      one === chapter ? 0 : one.importedFrom === chapter.importedFrom ? 1 : 2;
    const [found] = this.chapters
      .filter(({ declarations }) => declarations.has(name))
      .toSorted((a, b) => rank(a) - rank(b));
    return found?.declarations.get(name) ?? null;
  }
}
