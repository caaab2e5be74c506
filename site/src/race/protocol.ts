/** What the page and its worker say to each other. */
import type { Relief } from "./contours.ts";
import type { Entry, Track } from "./engine.ts";
import type { Point, View } from "./surfaces.ts";

/** A race that is wanted. A later order takes the place of one that is not done yet. */
export interface Order {
  readonly id: number;
  readonly surface: string;
  readonly formula: string;
  readonly view: View;
  /** Whether the picture of the surface is wanted as well. */
  readonly relief: boolean;
  readonly start: Point;
  readonly steps: number;
  readonly noise: number;
  readonly seed: number;
  readonly entries: readonly Entry[];
}

export type Report = { readonly id: number } & (
  | { readonly kind: "relief"; readonly relief: Relief }
  | { readonly kind: "track"; readonly track: Track }
  | { readonly kind: "done" }
  /** The formula cannot be raced on. */
  | { readonly kind: "refused"; readonly message: string; readonly at: number }
  /** Something broke. */
  | { readonly kind: "failed"; readonly message: string }
);
