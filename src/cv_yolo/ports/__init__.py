"""What the workflows need from outside; adapters implement it. One module for each subject."""
