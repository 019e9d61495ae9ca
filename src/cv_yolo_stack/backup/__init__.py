"""Keep all records, files and keys of a project in a folder, bring them back, and prove that they come back."""
