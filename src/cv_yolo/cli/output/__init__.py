"""What commands print: tables, progress, decisions; no command and no rule."""
