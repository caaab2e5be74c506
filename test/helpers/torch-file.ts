/** Small files in the format of torch.save, whole and broken, for the tests of the reader. */
import { crc32 } from "node:zlib";

const encoder = new TextEncoder();

export const join = (...parts: (string | number[] | Uint8Array)[]): Uint8Array =>
  new Uint8Array(
    parts.flatMap((part) => (typeof part === "string" ? [...encoder.encode(part)] : [...part])),
  );

function numbers(...fields: [bytes: number, value: number][]): number[] {
  return fields.flatMap(([bytes, value]) =>
    Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256),
  );
}

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly localName?: string;
  /** In the directory. */
  readonly size?: number;
  readonly at?: number;
  /** Its size and place stand in a field of zip64, and this is put before that. */
  readonly wide?: number[];
}

const full = [255, 255, 255, 255];

/** A zip archive without zip64 at its end. */
export function zip(entries: readonly ZipEntry[], count = entries.length): Uint8Array {
  let body = new Uint8Array(0);
  let directory = new Uint8Array(0);
  for (const entry of entries) {
    const { name, bytes, method = 0, flags = 0, localName = name } = entry;
    const { size = bytes.length, at = body.length, crc = crc32(bytes) } = entry;
    const head = numbers([2, 20], [2, flags], [2, method], [4, 0], [4, crc]);
    const lengths = (n: string) => numbers([4, size], [4, size], [2, encoder.encode(n).length]);
    const place = numbers([2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, at]);
    const wide = entry.wide && [
      ...entry.wide,
      1,
      0,
      24,
      0,
      ...numbers([8, size], [8, size], [8, at]),
    ];
    const known = wide ? [...full, ...full, ...lengths(name).slice(8)] : lengths(name);
    place.splice(0, 2, ...numbers([2, wide?.length ?? 0]));
    if (wide) place.splice(-4, 4, ...full);
    const record = join("PK\x01\x02", [20, 0], head, known, place, name, wide ?? []);
    directory = join(directory, record) as never;
    body = join(body, "PK\x03\x04", head, lengths(localName), [0, 0], localName, bytes) as never;
  }
  const sizes = numbers([2, 0], [2, 0], [2, count], [2, count], [4, directory.length]);
  return join(body, directory, "PK\x05\x06", sizes, numbers([4, body.length], [2, 0]));
}

/** The entries of a file with this pickle; protocol and end are put around it. */
export function entriesOf(
  program: (string | number[] | Uint8Array)[],
  storages: Record<string, Uint8Array> = {},
): ZipEntry[] {
  return [
    { name: "x/data.pkl", bytes: join([0x80, 2], ...program, ".") },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `x/data/${key}`, bytes })),
    { name: "x/version", bytes: join("3\n") },
  ];
}

export const file = (
  program: (string | number[] | Uint8Array)[],
  storages: Record<string, Uint8Array> = {},
): Uint8Array => zip(entriesOf(program, storages));

export const text = (value: string): Uint8Array => {
  const bytes = encoder.encode(value);
  return join("X", numbers([4, bytes.length]), bytes);
};
export const name = (path: string): string => `c${path.replace(" ", "\n")}\n`;
export const int = (value: number): number[] => [0x4a, ...numbers([4, value >>> 0])];
const tuple = (values: readonly number[]) => join("(", ...values.map(int), "t");

export interface TensorParts {
  readonly type?: string;
  readonly key?: string;
  readonly numel?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  readonly hooks?: string;
  /** Makes it one of an untyped storage, as PyTorch writes types that have no class of storages. */
  readonly dtype?: string;
}

/** The instructions that make a tensor: of two float32, unless told otherwise. */
export function tensor(parts: TensorParts = {}): Uint8Array {
  const { type = "torch FloatStorage", key = "0", numel = 2, offset = 0, hooks } = parts;
  const { shape = [2], strides = [1], dtype } = parts;
  const storage = join("(", text("storage"), name(type), text(key), text("cpu"), int(numel), "tQ");
  const empty = hooks ?? `${name("collections OrderedDict")})R`;
  const rest = join(storage, int(offset), tuple(shape), tuple(strides), [0x89], empty);
  const version = dtype === undefined ? "v2" : "v3";
  const last = dtype === undefined ? "" : name(dtype);
  return join(name(`torch._utils _rebuild_tensor_${version}`), "(", rest, last, "tR");
}

/** Where an entry's bytes begin in a file of PyTorch's or of {@link zip}, and how long they are. */
export function pickleRange(bytes: Uint8Array): [begin: number, end: number, directory: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = view.getUint32(bytes.length - 6, true);
  const local = view.getUint32(directory + 42, true);
  const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  return [begin, begin + view.getUint32(directory + 24, true), directory];
}

/** Sets the checksum of the first entry, the pickle, anew. */
export function mend(bytes: Uint8Array): Uint8Array {
  const [begin, end, directory] = pickleRange(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(directory + 16, crc32(bytes.subarray(begin, end)), true);
  return bytes;
}
