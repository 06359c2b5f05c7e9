"""Ten views of an image for its evaluation: Krizhevsky, Sutskever & Hinton 2012, section 4.1."""

from __future__ import annotations

import numpy as np

from .transforms import Rng, Transform, pair, room


class TenCrop(Transform):
    """(N, C, H, W) → (10 N, C, size): the four corners and the middle, and their mirror images.

    The ten views of an image follow one another, the mirrored ones last. What a network says of
    them is averaged by `tasks.images`.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = pair("TenCrop", "size", size, least=1)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        down, right = room("TenCrop", images, self.size)
        height, width = self.size
        places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
        five = np.stack([images[:, :, y : y + height, x : x + width] for y, x in places], axis=1)
        ten = np.concatenate([five, five[..., ::-1]], axis=1)
        return ten.reshape(-1, *ten.shape[2:])
