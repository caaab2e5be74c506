#!/usr/bin/env bash
# Measures optimizer steps on this machine's GPU: Downhill on WebGPU, WGSL by hand, the memory's bandwidth,
# and PyTorch where a Python has it. Prints one table. See README.md.
#
#   bench/gpu/run.sh [folder for results]      # by default gpu-results: table.md, and results.tar.gz with all
#                                              # tables, quartiles and what was said meanwhile
#
#   SIZES       what is measured, by default "layers 16777216 100000000": 2000 layers of width 32, and so many
#               elements in one tensor
#   OPTIMIZERS  by default sgd,momentum,rmsprop,adam
#   ROUNDS      turns that each row takes, by default 9
#   ROWS        only these rows, e.g. fused,written,triad,pytorch-fused
#   LAYERS, WIDTH                of "layers", by default 2000 and 32
#   DOWNHILL_TORCH_PATIENCE      seconds that torch.compile may take, by default 90
#   VK_DRIVER_FILES              the Vulkan driver's description, where it is not found
#   DOWNHILL_PYTHON              the Python that has torch, by default python3
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-$PWD/gpu-results}
mkdir -p "$out"
node=$root/bin/node
[ -x "$node" ] || node=$(command -v node) || {
  echo "run.sh: got no Node, expected $root/bin/node or one on the PATH." >&2
  exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$scratch}

# Libraries that were carried along stand in for those that are missing.
PATH=$PATH:/usr/sbin:/sbin
installed=$(ldconfig -p 2>/dev/null)
mkdir "$scratch/lib" "$scratch/results"
for library in "$root"/lib/*.so.*; do
  [ -e "$library" ] || continue
  grep -q "$(basename "$library") " <<<"$installed" || ln -s "$library" "$scratch/lib/"
done
export LD_LIBRARY_PATH="$scratch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -d /usr/local/nvidia/lib64 ] && LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/usr/local/nvidia/lib64

# Every description of a Vulkan driver that may be here, the likeliest first. Containers often have
# NVIDIA's libraries without one: then it is written here.
candidates() {
  [ -n "${VK_DRIVER_FILES:-}" ] && echo "$VK_DRIVER_FILES" && return
  local folder library path
  for folder in /usr/local/nvidia/share /etc /usr/share /usr/local/share; do
    ls "$folder"/vulkan/icd.d/nvidia*.json 2>/dev/null
  done
  for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
    { awk -v name="$library" '$1 == name { print $NF }' <<<"$installed"
      ls {/usr/local/nvidia,/usr,/usr/local}/lib{64,,/x86_64-linux-gnu}/"$library" 2>/dev/null
    } | sort -u | while read -r path; do
      local icd=$scratch/${library%%.*}-$(echo "$path" | tr -c 'a-zA-Z0-9\n' _).json
      printf '{"file_format_version": "1.0.1", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$path" >"$icd"
      echo "$icd"
    done
  done
  for folder in /etc /usr/share /usr/local/share; do
    ls "$folder"/vulkan/icd.d/*.json 2>/dev/null | grep -v nvidia
  done
}

driver=
while read -r candidate; do
  if adapter=$(VK_DRIVER_FILES=$candidate "$node" "$here/probe.mjs" 2>"$scratch/why" </dev/null); then
    driver=$candidate
    break
  fi
  {
    echo "No adapter by $candidate: $(tr '\n' ' ' <"$scratch/why" | cut -c 1-400)"
    library=$(sed -n 's/.*"library_path"[^"]*"\([^"]*\)".*/\1/p' "$candidate" 2>/dev/null | head -n 1)
    [ -e "$library" ] && ldd "$library" | grep "not found"
  } >&2
done < <(candidates)
if [ -z "$driver" ]; then
  cat >&2 <<MESSAGE
run.sh: got no GPU by Vulkan, expected a driver's description (VK_DRIVER_FILES) or NVIDIA's libGLX_nvidia.so.0.
In a container the driver needs the capability "graphics": NVIDIA_DRIVER_CAPABILITIES=all.
MESSAGE
  exit 3
fi
export VK_DRIVER_FILES=$driver
echo "WebGPU on $adapter, by $driver"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || true

results=$scratch/results
bench() { # name, then the workload
  local name=$1 start=$SECONDS
  shift
  "$node" "$root/dist/cli/main.js" bench --backend webgpu "$@" \
    --optimizers "${OPTIMIZERS:-sgd,momentum,rmsprop,adam}" --rounds "${ROUNDS:-9}" \
    --out "$results/$name" >"$results/$name.log" 2>&1 ||
    { echo "$name failed:" && tail -n 5 "$results/$name.log"; } >&2
  echo "$name: $((SECONDS - start)) s"
  # Whoever ends this early has what was measured so far.
  "$node" "$here/table.mjs" "$results" >"$out/table.md" 2>/dev/null
  tar -C "$scratch" -czf "$out/results.tar.gz" results
}

layers=(--layers "${LAYERS:-2000}" --width "${WIDTH:-32}")
rows=(${ROWS:+--rows "$ROWS"})
# A size that fails leaves the others.
for size in ${SIZES:-layers 16777216 100000000}; do
  case $size in
    layers) bench layers "${layers[@]}" ${rows[@]+"${rows[@]}"} ;;
    *) bench "$size" --size "$size" ${rows[@]+"${rows[@]}"} ;;
  esac
done
bench host --host-cost "${layers[@]}"
cat "$out/table.md"
