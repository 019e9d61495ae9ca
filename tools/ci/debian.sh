#!/usr/bin/env bash
# Installs the libraries that OpenCV needs on Debian images without a desktop, unless they are installed already.
set -euo pipefail
if [ -z "$(ldconfig -p | grep -F libGL.so.1)" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0
fi
