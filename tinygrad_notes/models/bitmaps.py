"""The ten bitmaps of 7×12 that LeNet-5's output compares with: stylized digits, black +1, white −1.

The paper shows its own set for all of ASCII (its figure 3) without listing the pixels; these are drawn
after it. Digits that look alike have bitmaps that are near each other, unlike one-hot targets.
"""

from __future__ import annotations

import numpy as np

DRAWN = """
..###..  ...#...  .#####.  .#####.  .....#.  #######  ..####.  #######  .#####.  .#####.
.#...#.  ..##...  ##...##  ##...##  ....##.  ##.....  .##....  .....##  ##...##  ##...##
##...##  .###...  .....##  .....##  ...###.  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...#...  .....##  .....##  ..#.##.  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...#...  .....##  ....##.  .##.##.  ######.  ##.###.  ....##.  .##.##.  ##...##
##...##  ...#...  ....##.  ..###..  ##..##.  .....##  ###..##  ...##..  ..###..  .##..##
##...##  ...#...  ...##..  ....##.  ##..##.  .....##  ##...##  ...##..  .##.##.  ..##.##
##...##  ...#...  ..##...  .....##  #######  .....##  ##...##  ..##...  ##...##  .....##
##...##  ...#...  .##....  .....##  ....##.  .....##  ##...##  ..##...  ##...##  .....##
##...##  ...#...  ##.....  .....##  ....##.  ##...##  ##...##  ..##...  ##...##  .....##
.#...#.  ...#...  ##.....  ##...##  ....##.  ##...##  .##.##.  ..##...  ##...##  ....##.
..###..  .#####.  #######  .#####.  ....##.  .#####.  ..###..  ..##...  .#####.  .####..
"""


def bitmaps() -> np.ndarray:
    """(10, 84), +1 and −1: row d is digit d, twelve lines of seven pixels."""
    lines = [line.split() for line in DRAWN.split("\n") if line]
    return np.array([[1.0 if c == "#" else -1.0 for line in lines for c in line[d]] for d in range(10)])
