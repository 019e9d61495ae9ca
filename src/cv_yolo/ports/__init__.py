"""What the workflows need of the world, in their own words; adapters bring it. One module for each subject."""
