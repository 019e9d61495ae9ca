#!/usr/bin/env bash
# The CI job `grid`: test the servers, then train, compare and judge.
# The exit code is that of `cv-yolo`: 0 promoted · 4 the policy said no · 3 a service is down · 2 wrong input · 1 a run failed.
# tools/ci/post_decision.py posts the outcome in build/ci/ as a comment.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"
left=build/ci
mkdir -p "$left"
rm -f "$left"/exit_code "$left"/outcome.json
ended() { echo "$1" >"$left/exit_code"; exit "$1"; }

if [ -z "${CV_YOLO_SERVER_URL:-}" ] && [ "${CV_YOLO_CI_WITHOUT_SERVER:-}" != yes ]; then
  echo "error: CV_YOLO_SERVER_URL is not set: the decision would be lost with this job" >&2
  echo "hint: docs/how-to/ci.md says which variables the job needs, and who may see them" >&2
  ended 2
fi
cv-yolo doctor || ended $?
cv-yolo grid --config "${CV_YOLO_GRID_CONFIG:-configs/grid.yaml}" --json >"$left/outcome.json" || ended $?
ended 0
