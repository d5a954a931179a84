"""How a page draws: figures made once and then given other numbers, tables, colours and style sheets.

- ``plumes``, ``globe``: the figures of Spread and Maps, of which a choice changes the numbers only.
- ``screen``: figures of ``spread.figures`` taken onto the page.
- ``curves``, ``site``, ``scores``: what calculations look like, on the page and on paper.
- ``styles``: style sheets of widgets and words.
"""
