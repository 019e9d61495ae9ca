#!/bin/sh
# Makes a database and a user for each server, and gives each user the password of .env; what is there stays as it is.
# Logs in as root with MYSQL_PWD, and hands the statements over on standard input: no process list shows a password.
set -eu

make() {  # user, its password; the database has the name of the user
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
