"""A DVC stage that makes the smallest data set there is: `data/made`."""

RECIPE = """
stages:
  make_it:
    cmd: >-
      python -c "from pathlib import Path; p = Path('data/made'); p.mkdir(parents=True);
      (p / 'data.yaml').write_text('names: [person]')"
    outs:
      - data/made
"""
