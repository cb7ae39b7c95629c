"""Lets intersphinx link to other projects without a network.

`docs/inventories/NAME.txt` lists the names that our pages use, in the format that an
``objects.inv`` has once it is unpacked: name, role, priority, address (``$`` stands for the
name), title.
"""

import zlib
from pathlib import Path

HEADER = "# Sphinx inventory version 2\n# Project: {}\n# Version:\n# Compressed using zlib.\n"


def compiled(listing: Path, folder: Path) -> str:
    """Pack a listing as Sphinx wants to read it, and return where that is."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / f"{listing.stem}.inv"
    packed.write_bytes(HEADER.format(listing.stem).encode() + zlib.compress(listing.read_bytes()))
    return str(packed)
