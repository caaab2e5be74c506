/** Which page of the docs is shown. */
import { signal } from "@preact/signals";
import { loaders, type LoadedPage } from "virtual:docs";

/** Where one enters. */
export const home = "readme";

export type Shown =
  | { readonly key: string; readonly page: LoadedPage }
  | { readonly key: string; readonly error: Error };

export const shown = signal<Shown | null>(null);

let asked = "";
const loaded = new Map<string, LoadedPage>();

/** Shows a page: at once if it was open before, otherwise when it is loaded, unless another was asked for by then. */
export async function open(key: string): Promise<void> {
  asked = key;
  const known = loaded.get(key);
  if (known) {
    shown.value = { key, page: known };
    return;
  }
  // Not what every object has, such as `constructor`.
  const load = Object.hasOwn(loaders, key) ? loaders[key] : undefined;
  try {
    if (!load) throw new Error(`there is no page ${JSON.stringify(key)}`);
    const page = await load();
    loaded.set(key, page);
    if (asked === key) shown.value = { key, page };
  } catch (error) {
    if (asked === key) shown.value = { key, error: error as Error };
  }
}
