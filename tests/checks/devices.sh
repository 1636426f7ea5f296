#!/usr/bin/env bash
# Other devices than the CPU: that they compile, and that one of them calculates what flex does.
#
#   tests/checks/devices.sh compile     types and lints with wgpu and with cuda; no device is needed
#   tests/checks/devices.sh lavapipe    builds with wgpu, and compares it with flex on Mesa's software Vulkan
#
# Not part of .ci/run, whose time they would double: for a change of Burn's version, and for what works on devices.
# Exit code 1 where something differs, 10 where it could not be tried.
set -euo pipefail
cd "$(dirname "$0")/../.."

case "${1:-}" in
compile)
    cargo clippy --release --package losscape-cli --features wgpu --locked -- -D warnings
    # cubecl's compiler for NVIDIA links an LLVM that its build script downloads (docs/devices.md). Without one the types
    # can be checked all the same: DOCS_RS has it leave the bundle out.
    DOCS_RS=1 cargo clippy --release --package losscape-cli --features cuda --locked -- -D warnings
    ;;
lavapipe)
    if ! ls /usr/share/vulkan/icd.d/lvp_icd*.json >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes mesa-vulkan-drivers; } >/dev/null
        fi
    fi
    icd=$(ls /usr/share/vulkan/icd.d/lvp_icd*.json 2>/dev/null | head -1) || true
    [ -n "$icd" ] || { echo "not checked: there is no software Vulkan (Debian's mesa-vulkan-drivers)"; exit 10; }
    cargo build --release --package losscape-cli --features wgpu --locked
    VK_ICD_FILENAMES=$icd XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp} python3 tests/checks/devices.py \
        "${CARGO_TARGET_DIR:-target}/release/losscape" wgpu
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
