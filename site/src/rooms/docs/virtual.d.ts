/** What site/docs/plugin.ts makes. */
declare module "virtual:docs" {
  export interface Listed {
    /** As in `#/docs/<key>`. */
    readonly key: string;
    readonly label: string;
    /** `null` where only links lead to it. */
    readonly group: string | null;
  }
  export interface LoadedPage {
    readonly title: string;
    readonly html: string;
    readonly headings: readonly {
      readonly id: string;
      readonly text: string;
      readonly level: number;
    }[];
  }
  export const pages: readonly Listed[];
  export const loaders: Readonly<Record<string, () => Promise<LoadedPage>>>;
}

declare module "virtual:docs/search" {
  export const entries: readonly {
    readonly name: string;
    readonly at: string;
    readonly from: string;
  }[];
}

declare module "virtual:docs/programs" {
  /** Each runs a program, once. */
  export const programs: Readonly<Record<string, () => Promise<unknown>>>;
}
