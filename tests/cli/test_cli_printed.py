"""What commands print, line by line, and that programs are told the same: on models and words small enough to
know every cell."""

import importlib.util
import json
import math
from dataclasses import replace

import pytest

from tinygrad_notes import nn
from tinygrad_notes.cli import chain, derivation, difference, main, networks, steps
from tinygrad_notes.cli.operations import plain, suggestion
from tinygrad_notes.cli.output import picture_file, print_json
from tinygrad_notes.models.variants import Row
from tinygrad_notes.train.options import RunError

needs_sympy = pytest.mark.skipif(importlib.util.find_spec("sympy") is None, reason="SymPy is not installed")


def lines(capsys, *words):
    """The lines that are printed, each as its words, and what a program is told."""
    assert main([*map(str, words)]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main([*map(str, words), "--json"]) == 0
    return printed, json.loads(capsys.readouterr().out)


# ---- the chain of a network --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "head", "columns"),
    [
        ("en", "MLP: one step of training on two samples, from the loss back to the input",
         "layer rule gy passes on file and line"),
        ("zh", "MLP: 两个样本的一步训练，从损失反向到输入", "层 规则 gy 传出的梯度 文件与行号"),
    ],
)  # fmt: skip
def test_a_chain_has_its_columns_in_their_order(lang, head, columns, capsys):
    printed, found = lines(capsys, "derive", "mlp", "--lang", lang)
    assert found["model"] == "MLP" and [" ".join(line) for line in printed[:3]] == [head, "", columns]
    rows = found["chain"]
    assert [(row["layer"], row["operation"]) for row in rows] == [
        ("loss", "Sum"), ("loss", "CrossEntropyOfClasses"), ("layers.5", "Linear"), ("layers.4", "ReLU"),
        ("layers.3", "Linear"), ("layers.2", "ReLU"), ("layers.1", "Linear"), ("layers.0", "Reshape"),
    ]  # fmt: skip
    for k, (row, cells) in enumerate(zip(rows, printed[3:], strict=False), 1):
        takes = ",".join("×".join(map(str, shape)) or "1" for shape in row["takes"])
        gives = ",".join(f"g{name}" + "×".join(map(str, s)) for name, s in row["gives"].items())
        assert cells[:4] == [str(k), row["layer"], row["operation"], takes] and cells[-1] == row["where"]
        assert "".join(cells[4:-1]) == gives
    assert rows[0]["takes"] == [[]] and rows[0]["gives"] == {"x": [2]}
    assert rows[-1]["takes"] == [[2, 784]] and rows[-1]["gives"] == {"x": [2, 1, 28, 28]}
    told = {"en": "told step by step by `tinygrad-notes derive`: ", "zh": "可用 `tinygrad-notes derive` "}
    if importlib.util.find_spec("sympy"):
        assert rows[0]["derivation"] == [] and rows[3]["derivation"] == ["relu"]
        said = " ".join(printed[-1])
        assert said.startswith(told[lang]) and said.endswith(": cross entropy of classes, linear, relu")


TEXT_MODELS = ["charlm", "tokenlm", "transformerlm", "classify", "seq2seq", "translate", "word2vec"]


@pytest.mark.parametrize("model", TEXT_MODELS)
def test_models_of_texts_have_a_chain_too(model, capsys):
    """From the loss to the embedding of the ids, which have no gradient."""
    printed, found = lines(capsys, "derive", model)
    assert " ".join(printed[0]).endswith(
        ": one step of training on one text, from the loss back to the parameters"
    )
    first, last = found["chain"][0], found["chain"][-1]
    assert first["takes"] == [[]] and last["operation"] == "Embedding" and list(last["gives"]) == ["weight"]
    assert main(["derive", model, "--numbers"]) == 2
    assert f"--numbers is an example of an operation; {model} is a network" in capsys.readouterr().err


def test_nothing_is_told_where_no_rule_has_a_derivation(capsys):
    row = {"layer": "a", "operation": "Sum", "takes": [[]], "gives": {"x": [2, 3]}, "where": "f.py:1",
           "derivation": []}  # fmt: skip
    chain.print_chain("A", [row], derivation.CHAIN["en"] | {"chain": ""})
    assert capsys.readouterr().out.splitlines()[-1].split() == ["1", "a", "Sum", "1", "gx", "2×3", "f.py:1"]


def test_the_forwards_of_a_model_are_as_before_when_its_chain_is_known():
    with pytest.raises(ZeroDivisionError), chain._watched(model := nn.Sequential(nn.Tanh()), []):
        raise ZeroDivisionError
    assert all("forward" not in vars(module) for module in model.modules())


# ---- derivations of operations -----------------------------------------------------------------


@needs_sympy
def test_an_operation_is_told_with_its_file_its_source_and_its_slopes(capsys):
    printed, found = lines(capsys, "derive", "leaky-relu")
    assert found.keys() >= {"operation", "module", "formula", "source", "derivatives", "derivations"}
    assert (found["operation"], found["module"]) == ("LeakyReLU", "tinygrad_notes.ops.activation")
    assert found["passed"] is True and found["formula"].startswith("y = ")
    assert found["source"].startswith("class LeakyReLU(Function):") and found["formula"] in found["source"]
    assert ["LeakyReLU", "in", "tinygrad_notes.ops.activation"] in printed
    positive, negative = found["derivatives"].items()
    assert positive[0].startswith("near x = 1.75, ") and "; near x = 0.25, " in positive[0]
    assert negative[0].startswith("near x = -1.75, ") and "; near x = -0.25, " in negative[0]
    assert positive[1] == {"y": "x", "∂y/∂x": "1"}
    assert negative[1]["y"] == f"{negative[1]['∂y/∂x']}*x"
    at = printed.index(["by", "SymPy,", "from", "the", "forward", "above:"])
    assert [" ".join(line) for line in printed[at + 1 : at + 4]] == [f"{positive[0]}:", "y = x", "∂y/∂x = 1"]


@needs_sympy
@pytest.mark.parametrize(
    ("name", "regions"),
    [
        ("Exp", {"everywhere": {"y": "exp(x)", "∂y/∂x": "exp(x)"}}),
        ("Multiply", {"everywhere": {"y": "a*b", "∂y/∂a": "b", "∂y/∂b": "a"}}),
        ("Sqrt", {"everywhere": {"y": "sqrt(x)", "∂y/∂x": "1/(2*sqrt(x))"}}),
        ("Abs", {"near x = 1.75; near x = 0.25": {"y": "x", "∂y/∂x": "1"},
                 "near x = -1.75; near x = -0.25": {"y": "-x", "∂y/∂x": "-1"}}),
    ],
)  # fmt: skip
def test_slopes_of_operations_on_single_numbers(name, regions):
    operation = derivation.all_operations()[plain(name)]
    found = derivation._derivatives(operation)
    assert found == regions


@needs_sympy
def test_a_derivation_of_no_operation_has_no_source(capsys):
    printed, found = lines(capsys, "derive", "xavier")
    assert found.keys() == {"derivations", "passed"}
    assert printed[0][:2] == ["derivation:", "xavier"] and not any("class" in line for line in printed)


@pytest.mark.parametrize("installed", [True, False])
def test_unknown_names_come_close_to_networks_and_to_derivations(installed, monkeypatch, capsys):
    if installed:
        pytest.importorskip("sympy")
    find = importlib.util.find_spec
    hidden = () if installed else ("sympy",)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else find(name))
    assert main(["derive", "xavir"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tinygrad-notes: unknown operation 'xavir'; ")
    assert ("did you mean xavier" in said) == installed
    assert main(["derive", "lenet"]) == 2
    assert "did you mean LeNet5" in capsys.readouterr().err


# ---- differences -------------------------------------------------------------------------------


def test_sizes_of_forms_and_how_they_start(capsys):
    rows = [Row("one", 1234, 56789, "A 1990", "plain", "zeros"), Row("two", 5, 6, "B", "with bias", "ones")]
    difference._print_sizes(rows, "steps")
    assert capsys.readouterr().out.splitlines() == [
        "variant  source  parameters   steps",
        "one      A 1990       1,234  56,789",
        "two      B                5       6",
        "",
        "one  plain",
        "two  with bias",
        "",
        "how weights start; biases from 0 unless it says otherwise",
        "",
        "one  zeros",
        "two  ones",
    ]
    difference._print_sizes([rows[0], replace(rows[1], initialization="zeros")], "steps")
    assert "how weights start" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "macs", "title", "head", "count"),
    [
        ("lenet5", "multiply-adds", "layers", ["layer", "notes", "paper"], 9),
        ("lstm", "multiply-adds of a step", "parameters",
         ["parameter", "torch", "1997", "peephole", "projection"], 6),
        ("rnn", "multiply-adds of a step", None, None, 0),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_words_of_its_family(name, macs, title, head, count, capsys):
    printed, found = lines(capsys, "diff", name)
    assert printed[0] == ["variant", "source", "parameters", *macs.split()]
    assert len(found["layers"]) == count and found["model"].lower() == name
    starts = [
        i
        for i, line in enumerate(printed)
        if line[1:] == ["that", "are", "not", "alike", "in", "all", "(same:", "as", "in", "the", "first)"]
    ]
    assert [printed[i][0] for i in starts] == [title] * bool(title)
    if title:
        (at,) = starts
        assert printed[at + 2] == head
        assert [line[0] for line in printed[at + 3 : at + 3 + count]] == [x["layer"] for x in found["layers"]]
    assert ("equations" in found) == (name != "lenet5")


def test_layers_are_matched_by_place_where_all_have_as_many(monkeypatch):
    forms = [nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)),
             nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))]  # fmt: skip

    class Form:
        def __init__(self, model):
            self.build = lambda: model

    monkeypatch.setattr(difference, "VARIANTS", {"F": [Form(model) for model in forms]})
    assert difference.different_layers("F") == [["2", "3→1", "3→4"]]
    longer = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Conv2d(4, 6, (3, 5), 2, 1, groups=2))
    monkeypatch.setattr(difference, "VARIANTS", {"F": [Form(forms[0]), Form(longer)]})
    assert difference.different_layers("F") == [["2", "3→1", "4→6 3×5 s2 p1 g2"], ["1", "none", "3→4"]]


# ---- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("sigmod", ["Tanh", "Sigmoid"], "did you mean Sigmoid?"),
        ("batch-norn", ["Batch_Norm", "BatchNormFixed"], "did you mean Batch_Norm or BatchNormFixed?"),
        ("x", ["Tanh", "Abs"], "known are Abs, Tanh"),
    ],
)
def test_an_unknown_name_has_three_that_come_close_or_all(name, known, said):
    assert suggestion(name, known) == said


def test_names_of_networks():
    assert plain("Batch_Norm-2d") == "batchnorm2d"
    assert [networks.find_network(f"ResNet-{depth}").name for depth in (20, 32, 44, 56, 110)] == [
        "ResNet20", "ResNet32", "ResNet44", "ResNet56", "ResNet110"]  # fmt: skip
    for depth in (20, 32, 44, 56, 110):
        names = [name for name, _ in networks.find_network(f"resnet{depth}").undrawn().named_modules()]
        blocks = {name for name in names if name.count(".") == 1 and name.startswith("layer")}
        assert len(blocks) == (depth - 2) // 2
    found = networks.find_network("resnet20", "B")
    assert (found.name, found.family) == ("ResNet20 (B)", "CifarResNet")
    assert networks.find_network("lenet_5", "paper").name == "LeNet5 (paper)"
    with pytest.raises(ValueError, match="unknown network 'resne'; did you mean ResNet or Resned or "):
        networks.find_network("resne", others=("Resned", "lstm"))
    network = networks.find_network("simplecnn")
    assert not any(p.numpy().any() for p in network.undrawn().parameters())
    assert any(p.numpy().any() for p in network.build().parameters())


# ---- pictures ----------------------------------------------------------------------------------


def test_a_picture_without_an_ending_is_a_png(tmp_path):
    pytest.importorskip("matplotlib")
    assert picture_file(str(tmp_path / "p")) == str(tmp_path / "p.png")
    for name in ("p.svg", "p.PDF", "p.x.jpg"):
        assert picture_file(str(tmp_path / name)) == str(tmp_path / name)
    with pytest.raises(
        RunError, match=r"p.xyz: .xyz is no format of pictures; those are .*jpg.*, png, .*svg"
    ):
        picture_file(str(tmp_path / "p.xyz"))


# ---- words -------------------------------------------------------------------------------------


@pytest.fixture
def plane(tmp_path):
    """Vectors in a plane: b is 60 degrees from a, c 90, d 180; a and e are alike."""
    turns = {"a": 0, "b": 60, "c": 90, "d": 180, "e": 0}
    rows = [f"{w} {math.cos(math.radians(t)):.8f} {math.sin(math.radians(t)):.8f}" for w, t in turns.items()]
    (tmp_path / "v.txt").write_text("\n".join(["5 2", *rows, ""]))
    return tmp_path / "v.txt"


def test_neighbors_are_printed_with_their_cosines(plane, capsys):
    printed, found = lines(capsys, "neighbors", plane, "a", "--count", 3)
    assert printed == [["word", "cosine"], ["e", "1.000"], ["b", "0.500"], ["c", "0.000"]]
    assert (found["source"], found["word"]) == (str(plane), "a")
    assert list(found["neighbors"]) == ["e", "b", "c"]
    assert list(found["neighbors"].values()) == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert len(lines(capsys, "neighbors", plane, "a", "--count", 1)[0]) == 2
    assert len(lines(capsys, "neighbors", plane, "a")[0]) == 5  # all others: fewer than 8


def test_an_analogy_tells_what_was_given(plane, capsys):
    printed, found = lines(capsys, "analogy", plane, "a", "b", "c", "--count", 1)
    cosine = 0.5 / math.hypot(0.5, 1 + math.sqrt(0.75))  # of b - a + c and d
    assert printed == [["word", "cosine"], ["d", f"{cosine:.3f}"]] and found["given"] == ["a", "b", "c"]
    assert found["source"] == str(plane) and list(found["neighbors"]) == ["d"]


def test_a_form_is_that_of_a_file(plane, capsys):
    assert main(["vectors", str(plane), "--form", "glove"]) == 2
    assert "--form is of the file that --out names; give --out FILE" in capsys.readouterr().err


def test_vectors_are_counted_written_and_evaluated(plane, tmp_path, capsys):
    printed, found = lines(capsys, "vectors", plane)
    assert found == {"source": str(plane), "words": 5, "dimensions": 2}
    assert printed == [["value"], ["source", str(plane)], ["words", "5"], ["dimensions", "2"]]
    (tmp_path / "pairs.tsv").write_text("a\tb\t9\na\tc\t5\na\td\t1\n")
    printed, found = lines(
        capsys,
        "vectors",
        plane,
        "--out",
        tmp_path / "o",
        "--form",
        "glove",
        "--evaluate",
        tmp_path / "pairs.tsv",
    )
    assert (found["file"], found["form"]) == (str(tmp_path / "o"), "glove")
    assert found["evaluation"]["spearman"] == pytest.approx(1)
    assert (tmp_path / "o").read_text().count("\n") == 5
    names = [line[0] for line in printed[1:]]
    assert names[:5] == ["source", "words", "dimensions", "file", "form"] and "spearman" in names
    assert "evaluation" not in names and "sections" not in names


def test_a_count_of_one_is_taken_and_none_is_not(plane, capsys):
    for command in (["neighbors", plane, "a"], ["analogy", plane, "a", "b", "c"]):
        assert main([*map(str, command), "--count", "0"]) == 2
        assert capsys.readouterr().err == "tinygrad-notes: --count must be at least 1, got 0\n"


# ---- derivations, as they are written ----------------------------------------------------------

STEP = {"unicode": "gx = a", "left": "gx", "goes_on": False, "reason": "Why.", "passed": True,
        "residual": 2e-35, "residual_float64": None}  # fmt: skip
TOLD = {
    "name": "small", "rule": "a.py:3", "about": "About it.", "numbers": ["n_i"], "chances": ["w"],
    "given": {"x": [2, 3], "s": []}, "gradients": {"gy": "y"},
    "definitions": [{"unicode": "y = x", "reason": ""}, {"unicode": "z = y", "reason": "as before"}],
    "steps": [STEP, STEP | {"unicode": "gx = b", "goes_on": True, "residual_float64": 3e-16}],
    "shipped": {"the shipped forward": {"residual": None, "residual_float64": 0.0, "passed": True},
                "the shipped gradient of x": {"residual": 0.5, "residual_float64": 1.0, "passed": False}},
    "example": None,
}  # fmt: skip
ENGLISH = """\
derivation: small (a.py:3)
About it.

given:
  nᵢ: a number
  w: chance variables
  x: 2 × 3
  s: a number
  gy = ∂L/∂y, from outside
definitions:
  y = x
  z = y  (as before)

  1. gx = a
       Why.  [residual 2e-35]
  2.    = b
       Why.  [residual 2e-35, in float64 3e-16]

the shipped rule, a.py:3:
  the forward  [in float64 0]
  the gradient of x  [residual 0.5, in float64 1, WRONG]
"""
CHINESE = """\
推导：small (a.py:3)
About it.

已知：
  nᵢ: 数
  w: 随机变量
  x: 2 × 3
  s: 数
  gy = ∂L/∂y，由外部给出
定义：
  y = x
  z = y（as before）

  1. gx = a
       Why.  [残差 2e-35]
  2.    = b
       Why.  [残差 2e-35, float64 下 3e-16]

代码中的规则（a.py:3）：
  前向传播  [float64 下 0]
  x 的梯度  [残差 0.5, float64 下 1, 不成立]
"""


@needs_sympy
@pytest.mark.parametrize(
    ("lang", "text", "title"), [("en", ENGLISH, "an example for paper:"), ("zh", CHINESE, "手算示例：")]
)
def test_every_line_of_a_derivation(lang, text, title, capsys):
    steps.print_derivation(TOLD, lang)
    assert capsys.readouterr().out == text
    example = [
        {"kind": "given", "line": "", "name": "x", "value": "2"},
        {"kind": "step", "line": "a = 1 + 2", "name": "a", "value": "3"},
        {"kind": "value", "line": "b = 4", "name": "b", "value": "4"},
        {"kind": "step", "line": "", "name": "c", "value": "5"},
    ]
    steps.print_derivation(TOLD | {"example": example}, lang)
    assert capsys.readouterr().out == text + (
        f"\n{title}\n     x = 2\n  1. a = 1 + 2\n     a = 3\n     b = 4\n  2. c = 5\n"
    )


@needs_sympy
def test_long_reasons_are_folded_below_their_step(capsys):
    steps.print_derivation(TOLD | {"steps": [STEP | {"reason": 29 * "word " + "end."}]}, "en")
    first, second = capsys.readouterr().out.splitlines()[14:16]
    assert (
        first == 7 * " " + (20 * "word ").rstrip()
        and second == 7 * " " + 9 * "word " + "end.  [residual 2e-35]"
    )


@needs_sympy
def test_what_a_derivation_tells_programs(capsys):
    assert main(["derive", "mse", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (told,) = found["derivations"]
    assert found["passed"] is True and told["example"] is None
    assert list(told) == ["name", "about", "rule", "numbers", "chances", "given", "gradients", "definitions",
                          "steps", "shipped", "example"]  # fmt: skip
    assert told["gradients"] and all(name == f"g{y}" for name, y in told["gradients"].items())
    for step in told["steps"]:
        assert step.keys() == {"latex", "unicode", "reason", "residual", "residual_float64", "passed", "left",
                               "goes_on"}  # fmt: skip
        assert step["unicode"].startswith(f"{step['left']} = ") and step["passed"] is True
    assert [step["goes_on"] for step in told["steps"]][:2] == [False, True]
    assert {name.partition(" of ")[0] for name in told["shipped"]} <= {
        "the shipped forward", "the shipped gradient", "the shipped code"}  # fmt: skip
    assert main(["derive", "mse", "--json", "--lang", "zh"]) == 0
    (chinese,) = json.loads(capsys.readouterr().out)["derivations"]
    assert chinese["about"] != told["about"] and chinese["steps"][0]["reason"] != told["steps"][0]["reason"]
    assert [s["unicode"] for s in chinese["steps"]] == [s["unicode"] for s in told["steps"]]


@needs_sympy
@pytest.mark.parametrize(
    ("name", "found"), [("batch-norm", ["batch norm"]), ("Batch_Norm", ["batch norm"]), ("nothing", [])]
)
def test_derivations_by_name(name, found):
    assert [entry.name for entry in steps.derivations_of(name=name)] == found


def test_json_is_indented_and_keeps_letters(capsys):
    print_json({"a": ["é", None], "b": True})
    assert capsys.readouterr().out == '{\n  "a": [\n    "é",\n    null\n  ],\n  "b": true\n}\n'


@pytest.mark.parametrize("option", ["A", "A-centered", "B"])
@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_variant_of_a_residual_network_has_its_depth(depth, option):
    """6n + 2 layers of weights (He et al. 2015, §4.2), and those of 1×1 of the two shortcuts of option B."""
    network = networks.find_network(f"resnet{depth}", option)
    assert network.name == f"ResNet{depth} ({option})"
    convolutions = [m for m in network.undrawn().modules() if isinstance(m, nn.Conv2d)]
    assert [sum(m.kernel_size == k for m in convolutions) for k in ((3, 3), (1, 1))] == [
        depth - 1, 2 if option == "B" else 0,
    ]  # fmt: skip
