"""Domain values made readable: Markdown and self-contained HTML. Pure: standard library, numpy, Jinja2."""
