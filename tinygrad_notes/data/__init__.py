"""Data: datasets, batches, transforms, the embedded digits, files and downloads.

Reading order: dataset (images and labels in memory), digits (the embedded ones), loader (batches;
prefetch is its thread), transforms (augmentation), statistics (normalization), idx, cifar and
folder (file formats), resize, lighting and crops (for ImageNet's networks), download (fetch, only when
asked for), sources (a data set by its name), split (what is held out), questions and
windows (Word2Vec), vectors and wordtests (of words), text (a folder of its own).
"""

from . import text
from .cifar import load_cifar10
from .crops import TenCrop
from .dataset import ArrayDataset, DataError
from .digits import load_digits
from .download import cache_folder, fetch
from .folder import ImageFiles, ImageFolder, load_image_folder
from .idx import load_idx, read_idx
from .lighting import Lighting, principal_colors
from .loader import DataLoader
from .questions import Noise, Tree, huffman
from .resize import Resize, with_channels
from .sources import load
from .split import held_out
from .statistics import normalization
from .transforms import (
    CenterCrop,
    Compose,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomShift,
    ToFloat,
    Transform,
)
from .vectors import WordVectors, load_vectors
from .windows import Windows, keep_probability, read_ids, write_ids
from .wordtests import analogies, evaluate_vectors, similarities

__all__ = [
    "ArrayDataset",
    "CenterCrop",
    "Compose",
    "DataError",
    "DataLoader",
    "ImageFiles",
    "ImageFolder",
    "Lighting",
    "Noise",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomShift",
    "Resize",
    "TenCrop",
    "ToFloat",
    "Transform",
    "Tree",
    "Windows",
    "WordVectors",
    "analogies",
    "cache_folder",
    "evaluate_vectors",
    "fetch",
    "held_out",
    "huffman",
    "keep_probability",
    "load",
    "load_cifar10",
    "load_digits",
    "load_idx",
    "load_image_folder",
    "load_vectors",
    "normalization",
    "principal_colors",
    "read_ids",
    "read_idx",
    "similarities",
    "text",
    "with_channels",
    "write_ids",
]
__dir__ = __all__.copy  # what dir() and completion offer
