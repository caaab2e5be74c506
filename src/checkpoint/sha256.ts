/**
 * SHA-256 (FIPS 180-4).
 *
 * WebCrypto computes it as fast as processors can, but takes a while to begin, is missing on pages that
 * are not secure, and refuses very large arrays. So this file has it as well, for what is small and for
 * where there is no other.
 */

/** Below this many bytes WebCrypto takes longer to begin than this file to finish. */
const SMALL = 4096;
const LARGE = 2 ** 30;

/** The digest in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const { byteLength, buffer } = bytes;
  const subtle = (globalThis as { crypto?: { subtle?: SubtleCrypto } }).crypto?.subtle;
  const isFit = byteLength >= SMALL && byteLength <= LARGE && buffer instanceof ArrayBuffer;
  if (!subtle || !isFit) return sha256Plain(bytes);
  const digest = await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return hex(new Uint8Array(digest));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The first 32 bits of the fractional parts of a root of the first primes. */
function fractions(count: number, root: (x: number) => number): Int32Array {
  const isPrime = (n: number): boolean => {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
    return true;
  };
  const found = new Int32Array(count);
  for (let n = 2, i = 0; i < count; n++) if (isPrime(n)) found[i++] = (root(n) % 1) * 2 ** 32;
  return found;
}

const K = /* @__PURE__ */ fractions(64, Math.cbrt);
const H = /* @__PURE__ */ fractions(8, Math.sqrt);

/** The same without WebCrypto. */
export function sha256Plain(bytes: Uint8Array): string {
  const state = H.slice();
  const schedule = new Int32Array(64);
  const whole = bytes.length - (bytes.length % 64);
  const blocks = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 64) absorb(state, schedule, blocks, at);
  const tail = new Uint8Array(bytes.length % 64 < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole));
  tail[bytes.length % 64] = 0x80;
  const last = new DataView(tail.buffer);
  last.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  last.setUint32(tail.length - 4, bytes.length * 8);
  for (let at = 0; at < tail.length; at += 64) absorb(state, schedule, last, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Takes in a block of 64 bytes. */
function absorb(state: Int32Array, w: Int32Array, blocks: DataView, at: number): void {
  for (let i = 0; i < 16; i++) w[i] = blocks.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as Octet;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const next = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i]! += next[i]!;
}

type Octet = [number, number, number, number, number, number, number, number];

function rotate(x: number, by: number): number {
  return (x >>> by) | (x << (32 - by));
}
