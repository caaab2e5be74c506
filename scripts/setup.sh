#!/usr/bin/env bash
# Installs what the full test suite needs beyond npm, from Debian's packages: a Python with PyTorch, to
# record its learning curves live; Chromium, to take steps in a browser; and Vulkan's loader, to take steps
# with WebGPU in Node on the driver that comes with Chromium. Everything else works without them.
set -euo pipefail

packages=()
if python3 -c 'import torch, numpy' 2>/dev/null || /usr/bin/python3 -c 'import torch, numpy' 2>/dev/null; then
  echo "PyTorch: already here"
else
  packages+=(python3-torch python3-numpy)
fi
if [ -x "${DOWNHILL_CHROMIUM:-/usr/bin/chromium}" ]; then
  echo "Chromium: already here"
else
  packages+=(chromium)
fi
icd=${DOWNHILL_VULKAN_ICD:-/usr/lib/chromium/vk_swiftshader_icd.json}
loader=$(ls -d /usr/lib*/libvulkan.so.1 /usr/lib/*/libvulkan.so.1 2>/dev/null || true)
if [ -n "$loader" ] && [ -e "$icd" ]; then
  echo "Vulkan: already here"
else
  packages+=(libvulkan1)
  if [ ! -e "$icd" ]; then packages+=(chromium-common); fi
fi
if [ ${#packages[@]} = 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "This installs from Debian's packages (${packages[*]}), and there is no apt-get here." >&2
  echo "Install a Python with torch and numpy by hand, e.g. pip install torch numpy, and Chromium," >&2
  echo "and set DOWNHILL_PYTHON and DOWNHILL_CHROMIUM to them if they are not where they are sought." >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then sudo=(); else sudo=(sudo); fi
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
for package in "${packages[@]}"; do
  case $package in
  python3-torch) /usr/bin/python3 -c 'import torch; print("PyTorch:", torch.__version__)' ;;
  chromium) /usr/bin/chromium --version ;;
  esac
done
