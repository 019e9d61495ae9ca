"""The rules and values of the field, pure: standard library and numpy. Nothing in it reads or writes."""
