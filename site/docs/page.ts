/** What the guides and the API reference become: pages of HTML, each under a key that is its place in the address. */

export interface Heading {
  readonly id: string;
  readonly text: string;
  /** 1 to 6. */
  readonly level: number;
}

export interface Page {
  /** As in `#/docs/<key>`. */
  readonly key: string;
  readonly title: string;
  /** In the list of pages, which is narrow; the title where there is none. */
  readonly label?: string;
  /** Under which heading it stands in the list of pages; `null` where only links lead to it. */
  readonly group: string | null;
  /** Safe: made of text that is escaped, and of tags of ours. Files of the page are `asset:<path in the repository>`. */
  readonly html: string;
  readonly headings: readonly Heading[];
}

/** A line of the search: something that has a name and a place. */
export interface Entry {
  readonly name: string;
  /** As in `#/docs/<at>`. */
  readonly at: string;
  /** Where it is from, for people: the page's title, or what kind of thing it is. */
  readonly from: string;
}

/** The address of a page, or of a place in it. */
export function routeOf(key: string, id?: string): string {
  const at = id === undefined ? "" : `?at=${encodeURIComponent(id).replaceAll("%2F", "/")}`;
  return `#/docs/${key}${at}`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Gives out anchors as GitHub does, so that a link to a section works there and here. */
export class Anchors {
  private readonly taken = new Map<string, number>();

  /** The anchor of the next heading with this text. */
  take(text: string): string {
    const slug = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
      .replaceAll(" ", "-");
    const count = this.taken.get(slug) ?? 0;
    this.taken.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  }
}
