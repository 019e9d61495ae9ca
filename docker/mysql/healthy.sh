#!/bin/sh
# Logs in as ZenML does and asks; the password comes from the environment, so that no process list shows it.
set -eu
export MYSQL_PWD="$MYSQL_PASSWORD"
answer=$(mysql --no-defaults --protocol=tcp --host="$HEALTH_HOST" --user="$MYSQL_USER" --batch --skip-column-names \
  --execute='SELECT 1' "$MYSQL_DATABASE")
test "$answer" = 1
