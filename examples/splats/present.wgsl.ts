/** What is shown on the canvas: the fit or its error, pixel by pixel, or the Gaussians as ellipses. */
import { common } from "./forward.wgsl.ts";

export const pixels = /* wgsl */ `${common}
override IS_ERROR: bool;
@group(0) @binding(0) var<storage, read> goal: array<u32>;
@group(0) @binding(1) var<storage, read> errors: array<vec4f>;

// One triangle that covers the canvas.
@vertex
fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}
@fragment
fn color(@builtin(position) position: vec4f) -> @location(0) vec4f {
  let at = u32(position.y) * SIZE + u32(position.x);
  let error = errors[at].rgb;
  let picture = unpack4x8unorm(goal[at]).rgb + error;
  return vec4f(select(picture, 4.0 * abs(error), IS_ERROR), 1.0);
}
`;

export const ellipses = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> splats: array<Splat>;

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) d: vec2f,
  @location(1) @interpolate(flat) i: u32,
}

// Four corners of each Gaussian's box.
@vertex
fn corner(@builtin(vertex_index) vertex: u32, @builtin(instance_index) i: u32) -> Corner {
  let d = splats[i].reach * (2.0 * vec2f(f32(vertex & 1u), f32(vertex >> 1u)) - 1.0);
  let at = splats[i].mean + d;
  return Corner(vec4f(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y, 0.0, 1.0), d, i);
}
@fragment
fn color(corner: Corner) -> @location(0) vec4f {
  let splat = splats[corner.i];
  if (q_at(splat, corner.d) > 0.5) { discard; }
  return vec4f(splat.color, 1.0);
}
`;
