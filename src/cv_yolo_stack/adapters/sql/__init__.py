"""All SQL of operating servers: MySQL and MariaDB, and SQLite files; nothing that knows what a backup is."""
