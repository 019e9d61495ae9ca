#!/usr/bin/env bash
# What OpenCV needs of a Debian image that has no desktop; where it is there already, nothing is done.
set -euo pipefail
if [ -z "$(ldconfig -p | grep -F libGL.so.1)" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libgl1 libglib2.0-0
fi
