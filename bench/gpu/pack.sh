#!/usr/bin/env bash
# Packs what the benchmark needs on a machine with a GPU that has neither Node nor a network: Node, Dawn,
# Vulkan's loader, the built command line and the scripts of this folder.
#
#   bench/gpu/pack.sh [archive]        # by default runs/gpu/downhill-gpu.tar.xz, about 28 MB
set -euo pipefail
cd "$(dirname "$0")/../.."
archive=${1:-runs/gpu/downhill-gpu.tar.xz}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "pack.sh: got $(uname -sm), expected Linux x86_64: what is packed here runs there." >&2
  exit 1
fi
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
kit=$staging/downhill-gpu
mkdir -p "$kit"/{bin,lib,dist,scripts,bench/gpu,node_modules/webgpu/dist/linux-x64} "$(dirname "$archive")"

node -e 'import("./scripts/bundle-cli.mjs").then(({ bundleCli }) => bundleCli(process.argv[1]))' "$kit/dist/cli"
cp package.json "$kit"
cp scripts/torch_bench.py "$kit/scripts"
cp bench/gpu/{run.sh,probe.mjs,table.mjs,torch_gpu.py,README.md} "$kit/bench/gpu"
cp "$(node -p process.execPath)" "$kit/bin/node"
cp node_modules/webgpu/{package.json,index.js,LICENSE.md} "$kit/node_modules/webgpu"
cp node_modules/webgpu/dist/linux-x64/dawn.node "$kit/node_modules/webgpu/dist/linux-x64"
# What NVIDIA's driver wants besides, where it is here: used only where the other machine has none.
for library in libvulkan.so.1 libX11.so.6 libXext.so.6 libxcb.so.1 libXau.so.6 libXdmcp.so.6 libbsd.so.0 libmd.so.0; do
  path=$(ldconfig -p | awk -v name="$library" '$1 == name && /x86-64/ { print $NF; exit }')
  if [ -n "$path" ]; then
    cp -L "$path" "$kit/lib/$library"
  elif [ "$library" = libvulkan.so.1 ]; then
    echo "pack.sh: got no $library, expected Vulkan's loader. npm run setup installs it." >&2
    exit 1
  fi
done
if command -v strip >/dev/null; then
  strip --strip-unneeded "$kit/bin/node" "$kit/node_modules/webgpu/dist/linux-x64/dawn.node"
fi

XZ_OPT=-6 tar -C "$staging" -cJf "$archive" downhill-gpu
bytes=$(stat -c %s "$archive")
echo "$archive: $((bytes / 1000000)) MB"
if [ "$bytes" -gt $((64 << 20)) ]; then
  echo "pack.sh: got $bytes bytes, expected at most 64 MiB." >&2
  exit 1
fi
