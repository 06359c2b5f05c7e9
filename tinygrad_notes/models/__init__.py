"""The networks of the notes, one file each."""

from .alexnet import AlexNet
from .googlenet import GoogLeNet
from .lenet import LeNet5
from .lenet1998 import LeNet1998
from .mlp import MLP
from .resnet import CifarResNet, ResNet, ResNet18, ResNet34
from .simplecnn import SimpleCNN
from .variants import variants
from .vgg import VGG, VGG11, VGG13, VGG16, VGG19
from .word2vec import Word2Vec

__all__ = [
    "MLP", "VGG", "VGG11", "VGG13", "VGG16", "VGG19", "AlexNet", "CifarResNet", "GoogLeNet", "LeNet5",
    "LeNet1998", "ResNet", "ResNet18", "ResNet34", "SimpleCNN", "Word2Vec",
    "variants",
]  # fmt: skip
