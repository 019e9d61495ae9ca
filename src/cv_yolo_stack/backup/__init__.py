"""Back up all records, files and keys of a project to a folder, restore them, and verify the backup."""
