"""Values and decisions as words: formatting, sentences, the Markdown of a decision; no HTML."""
