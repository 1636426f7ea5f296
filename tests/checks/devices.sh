#!/usr/bin/env bash
# That the devices which nothing else compiles do compile: the types of the whole with wgpu and with cuda. No device is
# needed. Not part of .ci/run, for its time: for a change of Burn's version, and for what works on devices.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo check --release --package losscape-cli --features wgpu --locked
# For NVIDIA cubecl links an LLVM that a build script downloads from github.com/tracel-ai/tracel-llvm. Without one the
# types can be checked all the same: DOCS_RS has the script leave it out.
DOCS_RS=1 cargo check --release --package losscape-cli --features cuda --locked
