"""Chinese for what the package says in English: the words of its pictures, and the findings of its studies.

As a command it runs the package, `python docs/chinese.py train lenet5`, and every picture is saved twice:
learning_curves.png, and learning_curves.zh.png with Chinese words.
"""

import contextlib
import re
import sys
import warnings
from functools import cache
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

from tinygrad_notes.cli import main
from tinygrad_notes.tasks.lettering import Lettering, NoFont

SAME = {  # names that a Chinese page writes so as well
    "Adam", "BLEU", "He", "Huber", "Leaky ReLU", "MAE", "Nesterov", "RMSE", "ReLU", "SGD",
    "Xavier", "sigmoid", "tanh", "x", "y",
}  # fmt: skip
WORDS = {  # {} is a number, or another of these words; {0} in Chinese is the first of them
    # heads of tables
    "rate": "学习率的大小", "lr": "学习率", "last loss": "最终损失", "test right": "测试正确率",
    "batch": "批次大小", "steps": "步数", "time": "用时", "against over-fitting": "对付过拟合的办法",
    "training loss": "训练损失", "unseen loss": "未见数据的损失", "training right": "训练正确率",
    "unseen right": "未见数据的正确率", "activation": "激活函数",
    "first / last gradient": "首层与末层梯度之比", "dead units": "死神经元", "task and loss": "任务与损失",
    "slope": "斜率", "offset": "截距", "weights": "初始权重", "last / first variance": "末层与首层方差之比",
    "first ∂L/∂W variance": "首层 ∂L/∂W 的方差", "inputs": "输入", "best lr": "最佳学习率",
    "optimizer": "优化器", "lr, valley": "学习率（山谷）", "height after {} steps": "{0} 步之后的高度",
    "lr, digits": "学习率（数字）", "penguins": "企鹅数据", "training rows": "训练行数",
    "± over splits": "各次划分的 ±",
    # what is compared
    "a thirtieth": "三十分之一", "suggested": "建议值", "thirtyfold": "三十倍", "nothing": "什么也不用",
    "dropout {}": "随机失活 {0}", "weight decay {}": "权重衰减 {0}",
    "early stopping, epoch {}": "早停，第 {0} 轮",
    "{}, unseen": "{0}，未见数据", "nothing, training": "什么也不用，训练数据", "a line, {}": "直线，{0}",
    "classes, {}": "分类，{0}", "squared error": "平方误差", "cross-entropy": "交叉熵", "zeros": "全零",
    "too small, {}": "太小，{0}", "too large, {}": "太大，{0}", "as they are": "原样",
    "standardized": "标准化", "{}, with batch norm": "{0}，加批量归一化", "momentum": "动量",
    "raw: complete rows, as they are": "原始：只取完整的行，原样输入",
    "cleaned by the training part": "按训练集清洗", "cleaned by all rows: wrong": "按全部数据清洗：错误",
    # words of pictures
    "range test: the rate rises": "范围测试：学习率递增", "learning rate": "学习率", "loss": "损失",
    "loss, smoothed": "损失（平滑）", "training at three rates": "用三种学习率训练", "step": "步",
    "a thirtieth, {}": "三十分之一，{0}", "suggested, {}": "建议值，{0}", "thirtyfold, {}": "三十倍，{0}",
    "the same epochs at lr {}": "同样的轮数，学习率 {0}", "epoch": "轮",
    "500 digits, 670,000 weights": "500 个数字，67 万个权重", "gradients before training": "训练之前的梯度",
    "layer": "层", "norm of ∂L/∂W": "∂L/∂W 的范数", "training, SGD with momentum": "训练，带动量的 SGD",
    "a line with outliers": "带离群点的直线", "data": "数据", "classes: the same steps": "分类：同样的步数",
    "training digits right (%)": "训练数字的正确率（%）", "signal before training": "训练之前的信号",
    "variance of activations": "激活值的方差", "gradient before training": "训练之前的梯度",
    "variance of ∂L/∂W": "∂L/∂W 的方差", "each at its best rate": "各用自己的最佳学习率",
    "digits": "手写数字", "training on the first split": "第一次划分的训练",
    "unseen penguins": "未见过的企鹅", "split": "划分", "right, %": "正确率（%）", "train": "训练",
    "validation": "验证", "{} (%)": "{0}（%）", "accuracy": "正确率", "exact": "完全正确率",
    "perplexity": "困惑度", "bits_per_character": "每字符比特数", "read": "读入", "written": "写出",
    "attention": "注意力", "layer {}, head {}": "第 {0} 层，第 {1} 头", "predicted class": "预测的类别",
    "true class": "真实的类别", "share of the true class": "占真实类别的比例",
    "{} samples, {} % right": "{0} 个样本，正确率 {1} %", "{}, true": "{0}，真实值",
    "{}, predicted": "{0}，预测值", "{} rows, missed by {}": "{0} 行，均方根误差 {1}",
    "the vector of each place": "每个位置的向量", "place": "位置", "number of the vector": "向量的分量",
    "products of two places": "两个位置的内积", "images of each class": "每个类别的图像数",
    "share of pixels with each value": "各像素值所占的比例",
    "the {} most frequent words, in the plane of largest variance": "最常用的 {0} 个词，在方差最大的平面上",
    "first direction ({} of the variance)": "第一方向（占方差的 {0}）",
    "second direction ({})": "第二方向（{0}）",
    # sentences
    "The range test suggests lr = {}: with it {} of the test digits are right after {} steps, with a "
    "thirtieth of it {}, with thirty times as much {}.":
        "范围测试建议的学习率是 {0}：训练 {2} 步之后，测试数字的正确率为 {1}；学习率取三十分之一，正确率为 "
        "{3}；取三十倍，正确率为 {4}。",
    "After the same {} epochs at the same rate, batches of {} have {} of the test digits right in {} "
    "steps, and batches of {} {} in {}.":
        "学习率不变，同样训练 {0} 轮：批次大小为 {1} 时走了 {3} 步，测试正确率为 {2}；批次大小为 {4} 时只走"
        "了 {6} 步，测试正确率为 {5}。",
    "Without anything the loss on unseen digits is least after epoch {} ({}) and {} after {}, while that "
    "on the training digits falls to {}; with {} it is {} after {}.":
        "什么也不用时，未见数据的损失在第 {0} 轮最小（{1}），到第 {3} 轮升至 {2}，而训练损失降到 {4}；用 "
        "{5}，第 {7} 轮时未见数据的损失为 {6}。",
    "Before training the gradient of the first of {} layers is {} of the last one's with {} and {} with "
    "{}; after {} steps {} and {} of the test digits are right.":
        "训练之前，{0} 层网络首层与末层的梯度之比，用 {2} 时是 {1}，用 {4} 时是 {3}；训练 {5} 步之后，两者"
        "的测试正确率分别为 {6} 和 {7}。",
    "With {} of outliers squared errors find a slope of {} and Huber's loss one of {} where it is {}; for "
    "classes cross-entropy has {} right after {} steps, squared errors of the softmax {}.":
        "离群点占 {0} 时，平方误差求出的斜率是 {1}，Huber 损失求出的是 {2}，真实的斜率是 {3}；分类时，训练 "
        "{5} 步之后，交叉熵的正确率为 {4}，softmax 的平方误差为 {6}。",
    "From the first to the last hidden layer the variance of a signal changes by {} with He's weights, {} "
    "with Xavier's and {} with small ones; after {} steps {}, {} and {} of the test digits are right, and "
    "{} from zeros.":
        "从第一个隐藏层到最后一个，信号的方差在 He 初始化下变为 {0} 倍，Xavier 初始化下变为 {1} 倍，权重太"
        "小时变为 {2} 倍；训练 {3} 步之后，测试正确率分别为 {4}、{5} 和 {6}，从全零开始则为 {7}。",
    "At its best rate the network has {} of the test digits right after {} steps on inputs of different "
    "scales, {} on standardized ones, and {} on the first with batch normalization.":
        "各用最佳学习率训练 {1} 步：输入尺度悬殊时，测试正确率为 {0}；标准化之后为 {2}；输入不变而加上批量"
        "归一化，则为 {3}。",
    "After {} steps in the valley {} is lowest ({}; SGD {}), and after {} steps on digits {} has the most "
    "right ({}; SGD {}).":
        "在山谷里走 {0} 步之后，{1} 的位置最低（{2}，SGD 为 {3}）；在手写数字上训练 {4} 步之后，{5} 的正确"
        "率最高（{6}，SGD 为 {7}）。",
    "Over {} splits {} of the unseen penguins are right after cleaning by the training part and {} "
    "without; cleaning by all rows says {}, a figure that new penguins need not keep, because their own "
    "rows helped to make it.":
        "{0} 次划分平均，未见过的企鹅，按训练集清洗之后的正确率为 {1}，不清洗为 {2}；按全部数据清洗得到 {3}"
        "，这个数对新的企鹅不一定成立，因为在得出它的过程中用到了被测的那些行。",
}  # fmt: skip


@cache
def patterns():
    """[(pattern, Chinese)], those with most letters first."""
    found = [("(.+?)".join(map(re.escape, words.split("{}"))), chinese) for words, chinese in WORDS.items()]
    return sorted(((re.compile(p, re.DOTALL), c) for p, c in found), key=lambda pair: -len(pair[0].pattern))


def in_chinese(text):
    """What an English word or sentence of the package is in Chinese; itself if there is no word for it."""
    if text in SAME:
        return text
    for pattern, chinese in patterns():
        if match := pattern.fullmatch(text):
            words = chinese.format(*map(in_chinese, match.groups()))
            return re.sub("(?<=[一-鿿]) (?=[一-鿿])", "", words)
    return text


def words_of(figure):
    """The texts of a figure that say what is drawn: titles, names of axes, legends; not ticks."""
    for axes in figure.axes:
        yield from (part for part in axes.get_children() if isinstance(part, Text) and part not in axes.texts)
        yield from (axes.xaxis.label, axes.yaxis.label)
        if axes.get_legend() is not None:
            yield from axes.get_legend().get_texts()


def translate(figure):
    """Chinese words in a figure, if a font of the system has them all."""
    told = [(text, in_chinese(text.get_text())) for text in words_of(figure)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoFont)
        lettering = Lettering((chinese for _, chinese in told), signs=False)
    if not lettering.missing:
        for text, chinese in told:
            text.set(text=chinese, fontfamily=lettering.family)


@contextlib.contextmanager
def in_both_languages():
    """Pictures that are saved as NAME.png are saved as NAME.zh.png too, with Chinese words."""
    save = Figure.savefig

    def twice(figure, path, **options):
        save(figure, path, **options)
        translate(figure)
        save(figure, Path(path).with_suffix(".zh.png"), **options)

    Figure.savefig = twice
    try:
        yield
    finally:
        Figure.savefig = save


if __name__ == "__main__":
    with in_both_languages():
        sys.exit(main())
