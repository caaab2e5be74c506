/** What is measured on: the browser, as far as it says. */

/** Where and when something was measured. */
export interface Setting {
  /** E.g. `Chromium 156 on Linux`. */
  readonly browser: string;
  /** All that it says of itself. */
  readonly userAgent: string;
  /** What the browser says the machine runs at once. */
  readonly cores: number;
  /** Whether the page has shared memory, and so threads. */
  readonly isolated: boolean;
  readonly date: string;
  /** Where the same can be measured again. */
  readonly address: string;
}

interface Brand {
  readonly brand: string;
  readonly version: string;
}

interface Agent {
  readonly userAgent: string;
  readonly userAgentData?: { readonly brands: readonly Brand[]; readonly platform: string };
}

/** @param address where the same can be measured again. */
export function observe(address: string): Setting {
  return {
    browser: browserName(navigator as Agent),
    userAgent: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    isolated: crossOriginIsolated,
    date: new Date().toISOString().slice(0, 10),
    address,
  };
}

/** Of the names that a Chromium gives itself the one that is least of a family's. */
export function browserName({ userAgent, userAgentData }: Agent): string {
  const brands = (userAgentData?.brands ?? []).filter(({ brand }) => !/not.*brand/i.test(brand));
  const own = brands.find(({ brand }) => brand !== "Chromium") ?? brands[0];
  if (own) return `${own.brand} ${own.version} on ${userAgentData!.platform || "?"}`;
  const found = known.flatMap(([name, pattern]) => {
    const version = pattern.exec(userAgent)?.[1];
    return version === undefined ? [] : [`${name} ${version}`];
  });
  const platform = /\(([^;)]+)[;)]/.exec(userAgent)?.[1];
  return `${found[0] ?? "an unknown browser"} on ${platform ?? "?"}`;
}

/** More special names first: all browsers claim to be others as well. */
const known = [
  ["Firefox", /Firefox\/(\d+)/],
  ["Edge", /Edg\/(\d+)/],
  ["Chrome", /Chrome\/(\d+)/],
  ["Safari", /Version\/(\d+(?:\.\d+)?).*Safari/],
] as const;
