"""What operating servers needs from outside; `adapters` implement it."""
