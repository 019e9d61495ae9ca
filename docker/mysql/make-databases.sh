#!/bin/sh
# Creates a database and a user for each server, and sets the users' passwords to those in .env. Existing data are kept.
# Logs in as root with MYSQL_PWD and passes the statements on standard input, so that no password is visible in the process
# list.
set -eu

make() {  # user, password; the database has the same name as the user
  user=$1 password=$2
  case $password in
    *[!A-Za-z0-9._~-]*) echo "error: $user: a password of letters, digits and . _ ~ - only, please" >&2; exit 2 ;;
  esac
  printf "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\n" "$user" "$password"
  printf "ALTER USER '%s'@'%%' IDENTIFIED BY '%s';\n" "$user" "$password"
  printf 'CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n' "$user"
  printf "GRANT ALL PRIVILEGES ON \`%s\`.* TO '%s'@'%%';\n" "$user" "$user"
}

statements=$(make zenml "$ZENML_DATABASE_PASSWORD" && make mlflow "$MLFLOW_DATABASE_PASSWORD")
printf '%s\n' "$statements" | mysql --no-defaults --protocol=tcp --host="$MYSQL_HOST" --user=root
echo "databases zenml and mlflow are there, each with a user of its own"
