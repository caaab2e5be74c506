#!/usr/bin/env bash
# Installs what the full test suite needs beyond npm, from Debian's packages: a Python with PyTorch,
# to record its learning curves live. Everything else works without it.
set -euo pipefail

if python3 -c 'import torch, numpy' 2>/dev/null || /usr/bin/python3 -c 'import torch, numpy' 2>/dev/null; then
  echo "PyTorch: already here"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "This installs from Debian's packages, and there is no apt-get here." >&2
  echo "Install a Python with torch and numpy by hand, e.g. pip install torch numpy," >&2
  echo "and set DOWNHILL_PYTHON to it if it is not on the PATH." >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then sudo=(); else sudo=(sudo); fi
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends python3-torch python3-numpy >/dev/null
/usr/bin/python3 -c 'import torch; print("PyTorch:", torch.__version__)'
