/**
 * Where one is: a room, and what is set there, all of it behind the `#` of the address. So every link
 * leads to what its sender saw, on any static host.
 */
import { signal } from "@preact/signals";

export interface Route {
  /** Empty where the address names none. */
  readonly room: string;
  /** A place in the room, as `math` in `#/docs/math`; mostly empty. */
  readonly path: string;
  readonly params: URLSearchParams;
}

/** `#/race?surface=beale` as a route. */
export function readHash(hash: string): Route {
  const [place = "", query = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s);
  const [room = "", path = ""] = place.split(/\/(.*)/s);
  return { room, path, params: new URLSearchParams(query) };
}

/** A route as `#/race?surface=beale`; what an address can hold unescaped stays readable. */
export function writeHash(room: string, params: URLSearchParams): string {
  const query = params.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return query === "" ? `#/${room}` : `#/${room}?${query}`;
}

/** The route as someone chose it: by opening a link, or with the browser's buttons. */
export const route = signal<Route>(readHash(typeof location === "undefined" ? "" : location.hash));

/** Where each room was last, so that one comes back to what was set there. */
export const lastAddress = signal<Readonly<Record<string, string>>>({});

function remember(room: string, hash: string): void {
  lastAddress.value = { ...lastAddress.peek(), [room]: hash };
}

/** Follows the address from now on. */
export function followAddress(): void {
  remember(route.peek().room, location.hash);
  addEventListener("hashchange", ({ newURL }) => {
    const { hash } = new URL(newURL);
    // What was kept may have been written between the click and this.
    leaveAddress();
    if (location.hash !== hash) history.replaceState(null, "", hash);
    route.value = readHash(hash);
    remember(route.peek().room, hash);
  });
}

let pending: ReturnType<typeof setTimeout> | undefined;

/** Writes what is set in a room into the address, soon: browsers refuse many changes at once. */
export function keepInAddress(room: string, params: URLSearchParams): void {
  const hash = writeHash(room, params);
  remember(room, hash);
  clearTimeout(pending);
  pending = setTimeout(() => history.replaceState(null, "", hash), 150);
}

/** Drops what {@link keepInAddress} has not written yet. */
export function leaveAddress(): void {
  clearTimeout(pending);
}
