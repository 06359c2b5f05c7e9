"""The papers that the chapters and the sources of the package name, and where each is named.

A source names a paper by its authors and year, as "Kingma & Ba 2015", a chapter also by its title. Where the
same name means two papers, `only` says in which files it means this one.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "tinygrad_notes"


@dataclass(frozen=True)
class Paper:
    """`names`: how it is named, further forms after "; "."""

    authors: str
    title: str
    place: str  # with the year
    names: str
    only: tuple[str, ...] = ()

    def files(self):
        """The files of the package that name it."""
        names = self.names.split("; ")
        return [
            file for file, text in sources().items()
            if any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)
            and file in (self.only or (file,))
        ]  # fmt: skip

    def pages(self):
        """The pages that have its title, or name it where that cannot mean another."""
        names = [] if self.only else self.names.split("; ")
        return [
            page for page, text in english().items()
            if f"*{self.title}*" in text or any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)
        ]  # fmt: skip


def line(text):
    """Text that is broken into lines, comments too, as one line."""
    return re.sub(r"\s*\n\s*(#:? )?", " ", text)


@cache
def sources():
    """{file: text} of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {file.relative_to(PACKAGE).as_posix(): line(file.read_text(encoding="utf-8")) for file in files}


@cache
def english():
    """{page: text} of the chapters and the pages that are about variants and errata."""
    files = [*sorted((DOCS / "chapters").glob("*.md")), DOCS / "variants.md", DOCS / "errata.md"]
    return {file.relative_to(DOCS).with_suffix("").as_posix(): line(file.read_text(encoding="utf-8"))
            for file in files}  # fmt: skip


PAPERS = [Paper(*entry) for entry in (
    ("Ba, Kiros & Hinton", "Layer Normalization", "2016", "Ba et al. 2016"),
    ("Bahdanau, Cho & Bengio", "Neural Machine Translation by Jointly Learning to Align and Translate",
     "ICLR 2015 (preprint 2014)", "Bahdanau et al. 2014"),
    ("Baydin, Pearlmutter, Radul & Siskind", "Automatic Differentiation in Machine Learning: a Survey",
     "Journal of Machine Learning Research 18, 2018", "Baydin et al. 2018"),
    ("Bengio, Simard & Frasconi", "Learning Long-Term Dependencies with Gradient Descent is Difficult",
     "IEEE Transactions on Neural Networks 5(2), 1994", "Bengio et al. 1994"),
    ("Bengio, Vinyals, Jaitly & Shazeer",
     "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", "NIPS 2015",
     "Bengio et al. 2015"),
    ("Bottou, Curtis & Nocedal", "Optimization Methods for Large-Scale Machine Learning",
     "SIAM Review 60(2), 2018", "Bottou et al. 2018"),
    ("Bridle", "Probabilistic Interpretation of Feedforward Classification Network Outputs", "1990",
     "Bridle 1990"),
    ("Cho & Brand", "MEC: Memory-efficient Convolution for Deep Neural Network", "ICML 2017",
     "Cho & Brand 2017"),
    ("Cho et al.",
     "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation",
     "EMNLP 2014", "Cho et al. 2014"),
    ("Chung, Gulcehre, Cho & Bengio",
     "Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling", "2014",
     "Chung et al. 2014"),
    ("Clevert, Unterthiner & Hochreiter",
     "Fast and Accurate Deep Network Learning by Exponential Linear Units (ELUs)", "ICLR 2016",
     "Clevert et al. 2016"),
    ("Cook", "On the Minimum Computation Time of Functions", "thesis, Harvard 1966", "Cook 1966"),
    ("Cybenko", "Approximation by Superpositions of a Sigmoidal Function",
     "Mathematics of Control, Signals and Systems 2, 1989", "Cybenko 1989"),
    ("Dao, Fu, Ermon, Rudra & Ré",
     "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness", "NeurIPS 2022",
     "Dao et al. 2022"),
    ("Devlin, Chang, Lee & Toutanova",
     "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
     "NAACL 2019 (preprint 2018)", "Devlin et al. 2018"),
    ("Dumoulin & Visin", "A Guide to Convolution Arithmetic for Deep Learning", "2016",
     "Dumoulin & Visin 2016"),
    ("Elfwing, Uchibe & Doya",
     "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement Learning",
     "Neural Networks 107, 2018", "Elfwing et al. 2018"),
    ("Elman", "Finding Structure in Time", "Cognitive Science 14(2), 1990", "Elman 1990"),
    ("Fukushima",
     "Neocognitron: A Self-organizing Neural Network Model for a Mechanism of Pattern Recognition "
     "Unaffected by Shift in Position", "Biological Cybernetics 36, 1980", "Fukushima 1980"),
    ("Gehring, Auli, Grangier, Yarats & Dauphin", "Convolutional Sequence to Sequence Learning",
     "ICML 2017", "Gehring et al. 2017"),
    ("Gers & Schmidhuber", "Recurrent Nets that Time and Count", "IJCNN 2000", "Gers & Schmidhuber 2000"),
    ("Gers, Schmidhuber & Cummins", "Learning to Forget: Continual Prediction with LSTM", "ICANN 1999",
     "Gers et al. 1999"),
    ("Glorot & Bengio", "Understanding the Difficulty of Training Deep Feedforward Neural Networks",
     "AISTATS 2010", "Glorot & Bengio 2010"),
    ("Glorot, Bordes & Bengio", "Deep Sparse Rectifier Neural Networks", "AISTATS 2011",
     "Glorot et al. 2011"),
    ("Goldberg", "What Every Computer Scientist Should Know About Floating-Point Arithmetic",
     "ACM Computing Surveys 23(1), 1991", "Goldberg 1991"),
    ("Goyal et al.", "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", "2017",
     "Goyal et al. 2017"),
    ("Graves & Schmidhuber",
     "Framewise Phoneme Classification with Bidirectional LSTM and Other Neural Network Architectures",
     "Neural Networks 18(5–6), 2005", "Graves & Schmidhuber 2005"),
    ("Harris et al.", "Array Programming with NumPy", "Nature 585, 2020", "Harris et al. 2020"),
    ("He, Zhang, Ren & Sun", "Deep Residual Learning for Image Recognition", "CVPR 2016 (preprint 2015)",
     "He et al. 2015; He, Zhang, Ren & Sun 2015",
     ("models/resnet.py", "models/variants.py", "tasks/images/recipes.py", "train/schedules.py")),
    ("He, Zhang, Ren & Sun",
     "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification",
     "ICCV 2015", "He et al. 2015", ("models/alexnet.py", "models/vgg.py", "nn/init.py")),
    ("Hendrycks & Gimpel", "Gaussian Error Linear Units (GELUs)", "2016", "Hendrycks & Gimpel 2016"),
    ("Hochreiter & Schmidhuber", "Long Short-Term Memory", "Neural Computation 9(8), 1997",
     "Hochreiter & Schmidhuber 1997"),
    ("Holtzman, Buys, Du, Forbes & Choi", "The Curious Case of Neural Text Degeneration", "ICLR 2020",
     "Holtzman et al. 2020"),
    ("Huber", "Robust Estimation of a Location Parameter", "Annals of Mathematical Statistics 35(1), 1964",
     "Huber 1964"),
    ("Huffman", "A Method for the Construction of Minimum-Redundancy Codes",
     "Proceedings of the IRE 40(9), 1952", "Huffman 1952"),
    ("Ioffe & Szegedy",
     "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
     "ICML 2015", "Ioffe & Szegedy 2015"),
    ("Jain & Wallace", "Attention is not Explanation", "NAACL 2019", "Jain & Wallace 2019"),
    ("Ji, Satish, Li & Dubey", "Parallelizing Word2Vec in Shared and Distributed Memory", "2016",
     "Ji et al. 2016"),
    ("Jozefowicz, Zaremba & Sutskever", "An Empirical Exploration of Recurrent Network Architectures",
     "ICML 2015", "Jozefowicz et al. 2015"),
    ("Kingma & Ba", "Adam: A Method for Stochastic Optimization", "ICLR 2015", "Kingma & Ba 2015"),
    ("Krizhevsky", "Learning Multiple Layers of Features from Tiny Images", "2009", "Krizhevsky 2009"),
    ("Krizhevsky", "One Weird Trick for Parallelizing Convolutional Neural Networks", "2014",
     "Krizhevsky 2014"),
    ("Krizhevsky, Sutskever & Hinton", "ImageNet Classification with Deep Convolutional Neural Networks",
     "NIPS 2012", "Krizhevsky et al. 2012; Krizhevsky, Sutskever & Hinton 2012"),
    ("Krogh & Hertz", "A Simple Weight Decay Can Improve Generalization", "NIPS 1991",
     "Krogh & Hertz 1991"),
    ("Lavin & Gray", "Fast Algorithms for Convolutional Neural Networks", "CVPR 2016 (preprint 2015)",
     "Lavin & Gray 2015"),
    ("Le, Jaitly & Hinton", "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
     "2015", "Le et al. 2015"),
    ("LeCun, Bottou, Bengio & Haffner", "Gradient-Based Learning Applied to Document Recognition",
     "Proceedings of the IEEE 86(11), 1998", "LeCun et al. 1998; LeCun, Bottou, Bengio & Haffner 1998",
     ("models/lenet.py", "models/lenet1998.py", "models/variants.py")),
    ("LeCun, Bottou, Orr & Müller", "Efficient BackProp", "in Neural Networks: Tricks of the Trade, 1998",
     "LeCun et al. 1998", ("nn/init.py",)),
    ("LeCun et al.", "Backpropagation Applied to Handwritten Zip Code Recognition",
     "Neural Computation 1(4), 1989", "LeCun et al. 1989"),
    ("Levy & Goldberg", "Linguistic Regularities in Sparse and Explicit Word Representations", "CoNLL 2014",
     "Levy & Goldberg 2014", ("data/vectors.py",)),
    ("Levy & Goldberg", "Neural Word Embedding as Implicit Matrix Factorization", "NIPS 2014",
     "Levy & Goldberg 2014", ("none",)),
    ("Lin, Chen & Yan", "Network in Network", "ICLR 2014", "Lin et al. 2014"),
    ("Loshchilov & Hutter", "SGDR: Stochastic Gradient Descent with Warm Restarts", "ICLR 2017",
     "Loshchilov & Hutter 2017"),
    ("Loshchilov & Hutter", "Decoupled Weight Decay Regularization", "ICLR 2019",
     "Loshchilov & Hutter 2019"),
    ("Luong, Pham & Manning", "Effective Approaches to Attention-based Neural Machine Translation",
     "EMNLP 2015", "Luong et al. 2015"),
    ("Maas, Hannun & Ng", "Rectifier Nonlinearities Improve Neural Network Acoustic Models", "2013",
     "Maas et al. 2013"),
    ("Martens", "Deep Learning via Hessian-free Optimization", "ICML 2010", "Martens 2010"),
    ("McCulloch & Pitts", "A Logical Calculus of the Ideas Immanent in Nervous Activity",
     "Bulletin of Mathematical Biophysics 5, 1943", "McCulloch & Pitts 1943"),
    ("Mikolov, Chen, Corrado & Dean", "Efficient Estimation of Word Representations in Vector Space",
     "2013", "Mikolov et al. 2013a"),
    ("Mikolov, Sutskever, Chen, Corrado & Dean",
     "Distributed Representations of Words and Phrases and their Compositionality", "NIPS 2013",
     "Mikolov et al. 2013; Mikolov et al. 2013b; Mikolov et al. 2013a, b"),
    ("Minsky & Papert", "Perceptrons", "MIT Press 1969", "Minsky & Papert 1969"),
    ("Morin & Bengio", "Hierarchical Probabilistic Neural Network Language Model", "AISTATS 2005",
     "Morin & Bengio 2005"),
    ("Moshier", "Methods and Programs for Mathematical Functions", "1989", "Moshier 1989"),
    ("Okuta, Unno, Nishino, Hido & Loomis", "CuPy: A NumPy-Compatible Library for NVIDIA GPU Calculations",
     "Workshop on Machine Learning Systems at NIPS 2017", "Okuta et al. 2017"),
    ("Papineni, Roukos, Ward & Zhu", "BLEU: a Method for Automatic Evaluation of Machine Translation",
     "ACL 2002", "Papineni et al. 2002"),
    ("Pascanu, Mikolov & Bengio", "On the Difficulty of Training Recurrent Neural Networks", "ICML 2013",
     "Pascanu et al. 2013"),
    ("Pearson", "On Lines and Planes of Closest Fit to Systems of Points in Space",
     "Philosophical Magazine 2(11), 1901", "Pearson 1901"),
    ("Peters et al.", "Deep Contextualized Word Representations", "NAACL 2018", "Peters et al. 2018"),
    ("Polyak", "Some Methods of Speeding up the Convergence of Iteration Methods",
     "USSR Computational Mathematics and Mathematical Physics 4(5), 1964", "Polyak 1964"),
    ("Post", "A Call for Clarity in Reporting BLEU Scores", "WMT 2018", "Post 2018"),
    ("Prechelt", "Early Stopping – But When?", "in Neural Networks: Tricks of the Trade, 1998",
     "Prechelt 1998"),
    ("Press & Wolf", "Using the Output Embedding to Improve Language Models", "EACL 2017",
     "Press & Wolf 2017"),
    ("Radford, Narasimhan, Salimans & Sutskever",
     "Improving Language Understanding by Generative Pre-Training", "2018", "Radford et al. 2018"),
    ("Radford, Wu, Child, Luan, Amodei & Sutskever", "Language Models are Unsupervised Multitask Learners",
     "2019", "Radford et al. 2019; Radford et al. 2018 and 2019"),
    ("Ramachandran, Zoph & Le", "Searching for Activation Functions", "2017", "Ramachandran et al. 2017"),
    ("Reddi, Kale & Kumar", "On the Convergence of Adam and Beyond", "ICLR 2018", "Reddi et al. 2018"),
    ("Ridders", "Accurate Computation of F′(x) and F′(x) F″(x)",
     "Advances in Engineering Software 4(2), 1982", "Ridders 1982"),
    ("Robbins & Monro", "A Stochastic Approximation Method",
     "Annals of Mathematical Statistics 22(3), 1951", "Robbins & Monro 1951"),
    ("Rosenblatt",
     "The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain",
     "Psychological Review 65(6), 1958", "Rosenblatt 1958"),
    ("Rumelhart, Hinton & Williams", "Learning Representations by Back-propagating Errors",
     "Nature 323, 1986", "Rumelhart et al. 1986"),
    ("Sak, Senior & Beaufays",
     "Long Short-Term Memory Recurrent Neural Network Architectures for Large Scale Acoustic Modeling",
     "Interspeech 2014", "Sak et al. 2014"),
    ("Salmon, Moraes, Dror & Shaw", "Parallel Random Numbers: As Easy as 1, 2, 3", "SC 2011",
     "Salmon et al. 2011"),
    ("Saxe, McClelland & Ganguli",
     "Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks", "ICLR 2014",
     "Saxe et al. 2014"),
    ("Schuster & Paliwal", "Bidirectional Recurrent Neural Networks",
     "IEEE Transactions on Signal Processing 45(11), 1997", "Schuster & Paliwal 1997"),
    ("Sennrich, Haddow & Birch", "Neural Machine Translation of Rare Words with Subword Units", "ACL 2016",
     "Sennrich et al. 2016"),
    ("Simonyan & Zisserman", "Very Deep Convolutional Networks for Large-Scale Image Recognition",
     "ICLR 2015 (preprint 2014)", "Simonyan & Zisserman 2014"),
    ("Smith", "Cyclical Learning Rates for Training Neural Networks", "WACV 2017 (preprint 2015)",
     "Smith 2015"),
    ("Smith & Topin", "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
     "2018", "Smith & Topin 2018"),
    ("Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov",
     "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", "JMLR 15, 2014",
     "Srivastava et al. 2014"),
    ("Sutskever, Martens, Dahl & Hinton",
     "On the Importance of Initialization and Momentum in Deep Learning", "ICML 2013",
     "Sutskever et al. 2013"),
    ("Sutskever, Vinyals & Le", "Sequence to Sequence Learning with Neural Networks", "NIPS 2014",
     "Sutskever et al. 2014"),
    ("Szegedy et al.", "Going Deeper with Convolutions", "CVPR 2015 (preprint 2014)",
     "Szegedy et al. 2014"),
    ("Szegedy, Vanhoucke, Ioffe, Shlens & Wojna",
     "Rethinking the Inception Architecture for Computer Vision", "CVPR 2016", "Szegedy et al. 2016"),
    ("Toom", "The Complexity of a Scheme of Functional Elements Realizing the Multiplication of Integers",
     "Soviet Mathematics Doklady 3, 1963", "Toom 1963"),
    ("Tukey", "Exploratory Data Analysis", "1977", "Tukey 1977"),
    ("Ulyanov, Vedaldi & Lempitsky", "Instance Normalization: The Missing Ingredient for Fast Stylization",
     "2016", "Ulyanov et al. 2016"),
    ("Vaswani et al.", "Attention Is All You Need", "NIPS 2017", "Vaswani et al. 2017"),
    ("Wu & He", "Group Normalization", "ECCV 2018", "Wu & He 2018"),
    ("Wu et al.",
     "Google's Neural Machine Translation System: Bridging the Gap between Human and Machine Translation",
     "2016", "Wu et al. 2016"),
    ("Xiong et al.", "On Layer Normalization in the Transformer Architecture", "ICML 2020",
     "Xiong et al. 2020"),
    ("Zhang & Sennrich", "Root Mean Square Layer Normalization", "NeurIPS 2019", "Zhang & Sennrich 2019"),
    ("Zhou, Khosla, Lapedriza, Oliva & Torralba", "Learning Deep Features for Discriminative Localization",
     "CVPR 2016", "Zhou et al. 2016"),
)]  # fmt: skip
