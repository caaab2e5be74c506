/**
 * From the picture's error to the gradient of each row.
 *
 * A workgroup gathers for one Gaussian: its threads walk over the pixels of its box, 8 by 8 at a time, and add
 * up what these say. No two workgroups write to the same place, so there are no atomics, and the sums have the
 * same bits every time.
 */
import { common } from "./forward.wgsl.ts";

const SIDE = 8;
const THREADS = SIDE * SIDE;

export const backward = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> splats: array<Splat>;
@group(0) @binding(2) var<storage, read> errors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient: array<Row>;

// What the pixels say of colour and weight, of q's three coefficients, and of the mean.
struct Sums {
  color: vec3f,
  conic: vec3f,
  mean: vec2f,
}
var<workgroup> sums: array<Sums, ${THREADS}>;

fn gather(splat: Splat, thread: vec2u) -> Sums {
  let low = vec2i(ceil((splat.mean - splat.reach) * f32(SIZE) - 0.5));
  let high = vec2i(floor((splat.mean + splat.reach) * f32(SIZE) - 0.5));
  let first = vec2u(max(low, vec2i(0)));
  let end = vec2u(clamp(high + 1, vec2i(0), vec2i(i32(SIZE))));
  let per_error = 2.0 / f32(3u * SIZE * SIZE);
  var sum = Sums();
  for (var y = first.y + thread.y; y < end.y; y += ${SIDE}u) {
    for (var x = first.x + thread.x; x < end.x; x += ${SIDE}u) {
      let d = place(vec2u(x, y)) - splat.mean;
      let q = q_at(splat, d);
      if (q >= CUT) { continue; }
      let slope = per_error * errors[y * SIZE + x].rgb;
      let gauss = exp(-q);
      let dq = -dot(slope, splat.color) * gauss;
      sum.color += slope * (gauss - exp(-CUT));
      sum.conic += dq * vec3f(0.5 * d.x * d.x, d.x * d.y, 0.5 * d.y * d.y);
      sum.mean -= dq * (splat.conic.xy * d.x + splat.conic.yz * d.y);
    }
  }
  return sum;
}

@compute @workgroup_size(${SIDE}, ${SIDE})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = group.x;
  let splat = splats[i];
  sums[thread] = gather(splat, local.xy);
  for (var stride = ${THREADS / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      sums[thread].color += sums[thread + stride].color;
      sums[thread].conic += sums[thread + stride].conic;
      sums[thread].mean += sums[thread + stride].mean;
    }
  }
  if (thread == 0u) { gradient[i] = chain(rows[i], splat, sums[0]); }
}

// The chain rule, through what the forward pass made of the row.
fn chain(row: Row, splat: Splat, sum: Sums) -> Row {
  let c = cos(row.angle);
  let s = sin(row.angle);
  let p = 1.0 / variances(row);
  let dp = vec2f(
    dot(sum.conic, vec3f(c * c, c * s, s * s)),
    dot(sum.conic, vec3f(s * s, -c * s, c * c)),
  );
  let dlog = -2.0 * exp(2.0 * vec2f(row.log_sx, row.log_sy)) * p * p * dp;
  let dangle = 2.0 * splat.conic.y * (sum.conic.z - sum.conic.x)
    + (splat.conic.x - splat.conic.z) * sum.conic.y;
  let dcolor = row.weight * sum.color;
  let dweight = dot(vec3f(row.red, row.green, row.blue), sum.color);
  return Row(
    sum.mean.x, sum.mean.y, dlog.x, dlog.y, dangle, dcolor.x, dcolor.y, dcolor.z, dweight,
  );
}
`;
