/** WebGPU's flags as numbers: browsers have them as globals, Node has none before somebody sets them. */

export const Usage = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyTarget: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
} as const;

/** What a buffer needs that shaders, copies and reading back may use. */
export const SHARED_USAGE = Usage.storage | Usage.copySource | Usage.copyTarget;

export const COMPUTE_STAGE = 0x4;
export const MAP_READ = 0x1;

/** Offsets of bindings are multiples of this many bytes on every device. */
export const BINDING_ALIGNMENT = 256;
