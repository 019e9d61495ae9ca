#!/bin/sh
# Health check: logs in as ZenML does and runs a query. The password comes from the environment, so that it is not visible in
# the process list.
set -eu
export MYSQL_PWD="$MYSQL_PASSWORD"
answer=$(mysql --no-defaults --protocol=tcp --host="$HEALTH_HOST" --user="$MYSQL_USER" --batch --skip-column-names \
  --execute='SELECT 1' "$MYSQL_DATABASE")
test "$answer" = 1
