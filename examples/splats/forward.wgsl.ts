/** From rows to the picture and its error. One workgroup draws a tile of 16 by 16 pixels. */
import { BLUR_IN_PIXELS, CUT } from "./model.ts";

/** What all shaders know. SIZE is that of the picture, in pixels. */
export const common = /* wgsl */ `
override SIZE: u32;
const CUT = f32(${CUT});
const BLUR = f32(${BLUR_IN_PIXELS});

struct Row {
  mean_x: f32, mean_y: f32,
  log_sx: f32, log_sy: f32,
  angle: f32,
  red: f32, green: f32, blue: f32,
  weight: f32,
}

// A Gaussian as it is drawn: half of its box, the inverse of its covariance (xx, xy, yy), and colour times weight.
struct Splat {
  mean: vec2f,
  reach: vec2f,
  conic: vec3f,
  color: vec3f,
}

fn place(pixel: vec2u) -> vec2f {
  return (vec2f(pixel) + 0.5) / f32(SIZE);
}
// Half of the squared distance from the mean, in standard deviations: density is exp(-q).
fn q_at(splat: Splat, d: vec2f) -> f32 {
  return 0.5 * (splat.conic.x * d.x * d.x + splat.conic.z * d.y * d.y) + splat.conic.y * d.x * d.y;
}
// The variances along a Gaussian's own two axes.
fn variances(row: Row) -> vec2f {
  let blur = BLUR / f32(SIZE);
  return exp(2.0 * vec2f(row.log_sx, row.log_sy)) + blur * blur;
}
`;

export const PREPARE_GROUP = 64;

/** What pixels need of each row, once for all pixels. */
export const prepare = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read_write> splats: array<Splat>;

@compute @workgroup_size(${PREPARE_GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&rows)) { return; }
  let row = rows[id.x];
  let v = variances(row);
  let p = 1.0 / v;
  let c = cos(row.angle);
  let s = sin(row.angle);
  splats[id.x] = Splat(
    vec2f(row.mean_x, row.mean_y),
    sqrt(2.0 * CUT * vec2f(c * c * v.x + s * s * v.y, s * s * v.x + c * c * v.y)),
    vec3f(c * c * p.x + s * s * p.y, c * s * (p.x - p.y), s * s * p.x + c * c * p.y),
    row.weight * vec3f(row.red, row.green, row.blue),
  );
}
`;

export const TILE = 16;
const CHUNK = TILE * TILE;

/**
 * Each thread is a pixel. All of them look through the Gaussians in chunks: one thread per Gaussian asks
 * whether its box meets the tile, and sets its bit; then every pixel adds up those whose bits are set, in order,
 * so that the sums have the same bits every time.
 */
export const forward = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> splats: array<Splat>;
@group(0) @binding(1) var<storage, read> goal: array<u32>;
@group(0) @binding(2) var<storage, read_write> errors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> tile_losses: array<f32>;

var<workgroup> chunk: array<Splat, ${CHUNK}>;
var<workgroup> hits: array<atomic<u32>, ${CHUNK / 32}>;
var<workgroup> squares: array<f32, ${CHUNK}>;

@compute @workgroup_size(${TILE}, ${TILE})
fn main(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(num_workgroups) tiles: vec3u,
  @builtin(global_invocation_id) pixel: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let here = place(pixel.xy);
  let middle = f32(${TILE}) * (vec2f(tile.xy) + 0.5) / f32(SIZE);
  let half = f32(${TILE / 2}) / f32(SIZE);
  let count = arrayLength(&splats);
  var color = vec3f(0.0);
  for (var first = 0u; first < count; first += ${CHUNK}u) {
    if (thread < ${CHUNK / 32}u) { atomicStore(&hits[thread], 0u); }
    workgroupBarrier();
    if (first + thread < count) {
      let splat = splats[first + thread];
      if (all(abs(splat.mean - middle) <= splat.reach + half)) {
        chunk[thread] = splat;
        atomicOr(&hits[thread / 32u], 1u << (thread % 32u));
      }
    }
    workgroupBarrier();
    for (var word = 0u; word < ${CHUNK / 32}u; word++) {
      var bits = atomicLoad(&hits[word]);
      while (bits != 0u) {
        let splat = chunk[32u * word + firstTrailingBit(bits)];
        bits &= bits - 1u;
        let q = q_at(splat, here - splat.mean);
        if (q < CUT) { color += splat.color * (exp(-q) - exp(-CUT)); }
      }
    }
    workgroupBarrier();
  }

  let at = pixel.y * SIZE + pixel.x;
  let error = color - unpack4x8unorm(goal[at]).rgb;
  errors[at] = vec4f(error, 0.0);

  squares[thread] = dot(error, error);
  for (var stride = ${CHUNK / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { squares[thread] += squares[thread + stride]; }
  }
  if (thread == 0u) { tile_losses[tile.y * tiles.x + tile.x] = squares[0]; }
}
`;

/** How many losses are kept until the CPU has read them. */
export const HISTORY = 1024;

/** Adds up the tiles' losses, and writes down the mean for the CPU to read when it likes. */
export const loss = /* wgsl */ `${common}
struct History {
  count: u32,
  losses: array<f32, ${HISTORY}>,
}
@group(0) @binding(0) var<storage, read> tile_losses: array<f32>;
@group(0) @binding(1) var<storage, read_write> history: History;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < arrayLength(&tile_losses); i += 256u) { sum += tile_losses[i]; }
  sums[thread] = sum;
  for (var stride = 128u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) { sums[thread] += sums[thread + stride]; }
  }
  if (thread == 0u) {
    history.losses[history.count % ${HISTORY}u] = sums[0] / f32(3u * SIZE * SIZE);
    history.count++;
  }
}
`;
