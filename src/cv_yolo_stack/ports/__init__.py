"""What operating servers needs of the world, in our words; `adapters` bring it."""
