/** Where a link of a Markdown file leads in the lab. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { Guide } from "./guides.ts";
import { routeOf } from "./page.ts";

export type Target =
  /** Another site, a page of the lab, or a file beside the page. */
  | { readonly href: string; readonly kind: "site" | "page" | "asset" }
  /** What is only in the repository. */
  | { readonly path: string; readonly kind: "repository" };

export class Links {
  private readonly root: string;
  /** Keys of pages by paths of files. */
  private readonly keys: ReadonlyMap<string, string>;

  constructor(root: string, guides: readonly Guide[]) {
    this.root = root;
    this.keys = new Map(guides.map(({ file, key }) => [file, key]));
  }

  /** @throws {Error} if there is nothing of that name. */
  resolve(href: string, from: string): Target {
    if (/^(https?:|mailto:)/.test(href)) return { href, kind: "site" };
    const [relative = "", id] = href.split("#");
    const path = relative === "" ? from : posix.join(posix.dirname(from), relative);
    const key = this.keys.get(path) ?? this.keys.get(`${path}/README.md`);
    if (key !== undefined) return { href: routeOf(key, id), kind: "page" };
    if (!existsSync(join(this.root, path))) {
      throw new Error(`${from}: got a link to ${href}, expected a file that is there.`);
    }
    if (/\.(svg|png)$/.test(path)) return { href: `asset:${path}`, kind: "asset" };
    return { path, kind: "repository" };
  }
}
