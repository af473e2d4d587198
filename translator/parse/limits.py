"""What keeps the work bounded whatever the text; far above what people write."""

from __future__ import annotations

MAX_CHARACTERS = 16 * 2**20
"""The length of one file. A bundle of 10,000 route tables has about half of it."""
MAX_DEPTH = 64
"""How deep collections nest. libyaml takes quadratic time in the depth, and recursion needs an
end; a route table needs 14 levels."""
MAX_ALIASED_NODES = 20_000
"""How many nodes the aliases of one file may stand for, or a fifth of its characters if that is
more; what is written out is not counted, and merge keys copy no more than they alias. Each node may
be a mistake with a finding of its own, so that all aliases of a small file are to be few."""
