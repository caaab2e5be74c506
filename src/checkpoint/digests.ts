/**
 * Digests of a checkpoint: one of each tensor and one of the header, in which they all stand.
 *
 * Safetensors itself notices no flipped bit in a tensor; these do.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { headerOf, type Safetensors } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";

/** The metadata's entry with the digests of all tensors, in the order of the file. */
export const DIGESTS = "sha256";
export const HEADER_DIGEST = "header_sha256";
/** Stands in place of the header's own digest while that is computed. */
export const BLANK = "0".repeat(64);

/** Of each tensor in the order of the file. */
export function digestsOf({ metadata }: Pick<Safetensors, "metadata">): readonly string[] {
  return (metadata.get(DIGESTS) ?? "").split(" ");
}

/** Whether a header is the one that was written. */
export async function isHeaderWhole(
  bytes: Uint8Array,
  { metadata }: Pick<Safetensors, "metadata">,
): Promise<boolean> {
  const own = metadata.get(HEADER_DIGEST) ?? "";
  const header = new Uint8Array(bytes);
  // Within a text the quotes would have a backslash each.
  const at = indexOf(header, new TextEncoder().encode(`"${HEADER_DIGEST}":"${own}"`));
  const begin = at + HEADER_DIGEST.length + 4;
  header.fill(0x30, begin, begin + BLANK.length);
  return (await sha256(header)) === own;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  // The second byte is rarer than the first, a quote.
  let at = bytes.indexOf(wanted[1]!);
  while (at >= 0 && !wanted.every((byte, i) => bytes[at - 1 + i] === byte)) {
    at = bytes.indexOf(wanted[1]!, at + 1);
  }
  return at - 1;
}

/** @throws {CheckpointError} `DIGEST_MISMATCH` with the name of what is damaged. */
export async function checkDigests(bytes: Uint8Array, file: Safetensors): Promise<void> {
  if (!(await isHeaderWhole(headerOf(bytes), file))) {
    refuseDigest("header", file.metadata.get(HEADER_DIGEST));
  }
  const digests = digestsOf(file);
  let i = 0;
  for (const [name, tensor] of file.tensors) {
    const digest = digests[i++];
    if ((await sha256(tensor.bytes)) === digest) continue;
    refuseDigest(`tensor ${JSON.stringify(name)}`, digest);
  }
}

function refuseDigest(subject: string, digest: string | undefined): never {
  throw new CheckpointError("DIGEST_MISMATCH", {
    subject: `checkpoint: ${subject}`,
    got: new Prose("other bytes than were saved"),
    expected: digest ? `those of the SHA-256 digest ${digest}` : "a SHA-256 digest of it",
    advice: "The file is damaged: take an older one.",
  });
}
