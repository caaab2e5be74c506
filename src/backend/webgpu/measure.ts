/**
 * Shaders that look at all gradients at once: their norm, and whether they are finite.
 *
 * The first reads each gradient once and leaves four numbers for each work item. The second, a single
 * workgroup, adds those up in order and decides: it writes the control that the step's kernels heed.
 * Squares of float32 overflow from 1.8e19 on and vanish below 1e-19, so large and small elements are added
 * up on scales of their own (Blue, 1978, https://doi.org/10.1145/355769.355771). The scaling works on the bits:
 * drivers may reorder products, and NVIDIA's takes (x·2^75)² for x²·2^150, which is 0·∞. Whether a number is
 * finite is told by its bits too, because shaders may be compiled as if all were.
 */
import { controlType, MAX_GROUPS } from "./control.ts";
import { builtins, readItem, WORKGROUP } from "./lower.ts";

/** The norms that there are. */
export type NormType = 1 | 2 | typeof Infinity;

/** Numbers of the host: four for the whole step, then two for each group. */
export const HEAD_NUMBERS = 4;
export const GROUP_NUMBERS = 2;

/** Bits of a partial result's last number. */
const INFINITE = 1;
const NAN = 2;

/** Adds one element to x, y and z. */
const accumulate: Readonly<Record<NormType, string>> = {
  1: "x += abs(value);",
  2: `let size = abs(value);
      if (size > 0x1p52f) { let small = timesPower(size, -76); z += small * small; }
      else if (size < 0x1p-63f) { let large = timesPower(size, 75); x += large * large; }
      else { y += value * value; }`,
  [Infinity]: "x = max(x, abs(value));",
};
/** Joins two partial results. */
const join: Readonly<Record<NormType, string>> = {
  1: "vec3f(a.x + b.x, 0f, 0f)",
  2: "a + b",
  [Infinity]: "vec3f(max(a.x, b.x), 0f, 0f)",
};
/** The norm, from the sums of all. */
const finish: Readonly<Record<NormType, string>> = {
  1: "sums.x",
  2: "rootOf(sums)",
  [Infinity]: "sums.x",
};

/** x·2^power for a finite x ≥ 0; 0 for what would be subnormal. */
const timesPower = `
fn timesPower(x: f32, power: i32) -> f32 {
  var bits = bitcast<u32>(x);
  var exponent = i32(bits >> 23u) + power;
  if (bits < 0x800000u) {
    if (bits == 0u) { return 0f; }
    // A subnormal number is a whole number of 2^-149.
    bits = bitcast<u32>(f32(bits));
    exponent = i32(bits >> 23u) + power - 149;
  }
  if (exponent <= 0) { return 0f; }
  if (exponent >= 255) { return bitcast<f32>((bits & 0u) | 0x7f800000u); }
  return bitcast<f32>((bits & 0x7fffffu) | (u32(exponent) << 23u));
}
`;

const tree = (type: NormType): string => `
${timesPower}var<workgroup> sums: array<vec3f, ${WORKGROUP}>;
var<workgroup> flags: atomic<u32>;

fn joined(a: vec3f, b: vec3f) -> vec3f { return ${join[type]}; }

fn total(thread: u32, own: vec3f) -> vec3f {
  sums[thread] = own;
  for (var half = ${WORKGROUP / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] = joined(sums[thread], sums[thread + half]); }
  }
  workgroupBarrier();
  return sums[0];
}
`;

/** An item: (number of the partial result, begin, end, group), begin and end in elements. */
export function measureShader(type: NormType): string {
  return `@group(0) @binding(0) var<storage, read> items: array<vec4u>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
${tree(type)}
@compute @workgroup_size(${WORKGROUP})
fn main(${builtins}) {
  ${readItem}
  let numbers = ${HEAD_NUMBERS}u + item.w * ${GROUP_NUMBERS}u;
  let scale = values[numbers];
  let limit = values[numbers + 1u];
  let isLimited = limit >= 0f;
  var x = 0f;
  var y = 0f;
  var z = 0f;
  for (var i = item.y + thread; i < item.z; i += ${WORKGROUP}u) {
    let gradient = gradients[i];
    var value = gradient * scale;
    let isNan = (bitcast<u32>(gradient) & 0x7fffffffu) > 0x7f800000u;
    let isLarge = (bitcast<u32>(value) & 0x7fffffffu) >= 0x7f800000u;
    if (isNan) { atomicOr(&flags, ${NAN}u); continue; }
    if (isLimited) {
      value = select(clamp(value, -limit, limit), limit, isLarge);
    } else if (isLarge) {
      atomicOr(&flags, ${INFINITE}u);
      continue;
    }
    ${accumulate[type]}
  }
  let sum = total(thread, vec3f(x, y, z));
  if (thread == 0u && item.y < item.z) {
    partials[item.x] = vec4f(sum, f32(atomicLoad(&flags)));
  }
}
`;
}

/**
 * Numbers of the host: the largest norm that is allowed (below 0: any), whether each group has a norm of its
 * own, whether a step without finite gradients is left out, and what multiplies clipped gradients. `spans` has begin and end of each group's
 * partial results.
 */
export function decideShader(type: NormType): string {
  return `${controlType}
@group(0) @binding(0) var<storage, read> spans: array<vec2u>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> partials: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> control: Control;
${tree(type)}
/** √(x·2^-150 + y + z·2^152), where x and z are sums of scaled squares. */
fn rootOf(sums: vec3f) -> f32 {
  if (sums.z > 0f) { return timesPower(sqrt(sums.z + timesPower(sums.y, -152)), 76); }
  if (sums.y > 0f) { return sqrt(sums.y + timesPower(sums.x, -150)); }
  return timesPower(sqrt(sums.x), -75);
}

fn isFinite(norm: f32) -> bool {
  return (bitcast<u32>(norm) & 0x7fffffffu) < 0x7f800000u;
}

/** PyTorch's factor; 0 for a norm that is infinite. */
fn factorFor(norm: f32, flags: u32) -> f32 {
  let most = values[0];
  if ((flags & ${NAN}u) != 0u) { return bitcast<f32>(0x7fc00000u + (flags & 0x100u)); }
  if (most < 0f) { return 1f; }
  if ((flags & ${INFINITE}u) != 0u || !isFinite(norm)) { return 0f; }
  return min(1f, most / (norm + 1e-6f));
}

/** The kernels scale gradients after they are clamped, so the limit is that of what is not yet scaled. */
fn setChange(group: u32, factor: f32) {
  let numbers = ${HEAD_NUMBERS}u + group * ${GROUP_NUMBERS}u;
  let limit = values[numbers + 1u] / max(abs(values[numbers]), 0x1p-126f);
  control.changes[group / 2u][(group & 1u) * 2u] = limit;
  control.changes[group / 2u][(group & 1u) * 2u + 1u] = factor;
}

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(local_invocation_index) thread: u32) {
  let perGroup = values[1] != 0f;
  let groups = min(arrayLength(&spans), ${MAX_GROUPS}u);
  var all = vec3f();
  var allFlags = 0u;
  for (var group = 0u; group < groups; group++) {
    if (thread == 0u) { atomicStore(&flags, 0u); }
    workgroupBarrier();
    var own = vec3f();
    for (var i = spans[group].x + thread; i < spans[group].y; i += ${WORKGROUP}u) {
      own = joined(own, partials[i].xyz);
      atomicOr(&flags, u32(partials[i].w));
    }
    let sums = total(thread, own);
    let found = atomicLoad(&flags);
    all = joined(all, sums);
    allFlags |= found;
    if (thread == 0u) { setChange(group, factorFor(${finish[type]}, found)); }
    workgroupBarrier();
  }
  if (thread != 0u) { return; }
  let sums = all;
  let norm = ${finish[type]};
  let factor = factorFor(norm, allFlags);
  if (!perGroup) {
    for (var group = 0u; group < groups; group++) { setChange(group, factor); }
  }
  let isBad = allFlags != 0u || !isFinite(norm) || !isFinite(norm * values[3]);
  control.norm = select(norm, bitcast<f32>(0x7f800000u | ((allFlags & ${NAN}u) << 21u)), allFlags != 0u);
  let skip = isBad && values[2] != 0f;
  control.skip = u32(skip);
  control.skipped += u32(skip);
}
`;
}
