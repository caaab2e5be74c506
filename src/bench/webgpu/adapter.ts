// What a GPU is, for people, and whether it is one.

export interface Adapter {
  /** For people: who made the adapter, and what it is. */
  readonly adapter: string;
  /** Whether it is a processor that plays a GPU. */
  readonly isSoftware: boolean;
}

export function describeAdapter(
  info: Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description">,
): Adapter {
  const { vendor, architecture, device, description } = info;
  const names = [device, vendor, architecture, description].filter((text) => text !== "");
  const adapter = names.join(", ") || "an adapter that does not say what it is";
  return { adapter, isSoftware: /swiftshader|llvmpipe|lavapipe|basic render/i.test(adapter) };
}
