"""The networks of the notes, one file each."""

from .alexnet import AlexNet
from .bert import BERT
from .classifier import SequenceClassifier
from .googlenet import GoogLeNet
from .gpt2 import GPT2
from .language import RecurrentLM, TransformerLM
from .lenet import LeNet5
from .lenet1998 import LeNet1998
from .mlp import MLP
from .resnet import CifarResNet, ResNet, ResNet18, ResNet34
from .seq2seq import Seq2Seq
from .simplecnn import SimpleCNN
from .transformer import Transformer
from .variants import variants
from .vgg import VGG, VGG11, VGG13, VGG16, VGG19
from .word2vec import Word2Vec

__all__ = [
    "BERT",
    "GPT2",
    "MLP",
    "VGG",
    "VGG11",
    "VGG13",
    "VGG16",
    "VGG19",
    "AlexNet",
    "CifarResNet",
    "GoogLeNet",
    "LeNet5",
    "LeNet1998",
    "RecurrentLM",
    "ResNet",
    "ResNet18",
    "ResNet34",
    "Seq2Seq",
    "SequenceClassifier",
    "SimpleCNN",
    "Transformer",
    "TransformerLM",
    "Word2Vec",
    "variants",
]  # fmt: skip
__dir__ = __all__.copy  # what dir() and completion offer
