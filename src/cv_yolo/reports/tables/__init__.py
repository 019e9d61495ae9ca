"""Tables of runs and metrics, as rows that HTML, Markdown and the terminal share; not whole pages."""
