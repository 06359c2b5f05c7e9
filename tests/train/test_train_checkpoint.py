"""Saved states: what goes in comes out, damage is noticed, and a kill leaves a whole file."""

import errno
import importlib
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import tinygrad_notes as tg
from tinygrad_notes.checkpoint import DTYPES, CheckpointError, _checksum, load, save


def equal(a, b):
    """The same types, structure and bits; a Tensor counts as its array."""
    a, b = (np.asarray(v.numpy()) if isinstance(v, tg.Tensor) else v for v in (a, b))
    if isinstance(a, np.ndarray | np.generic):
        return (
            isinstance(b, np.ndarray)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and (a.tobytes() == b.tobytes())
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or a != a


def example():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": tg.Tensor(rng.normal(size=(3, 1, 2, 2))),
        "view": np.arange(12).reshape(3, 4).T[::2],
        "number": np.float32(1 / 3),
        "empty": np.zeros((0, 3)),
        "resume": {
            "state": {0: {"m": rng.normal(size=4), "step": 7}, 1: {}},
            "betas": (0.9, 0.999),
            "rng": tg.backend.rng_state(),
            "mixed": [None, True, 1, 0.1, "ε", [np.int64(2)]],
            "odd": {"$array": 1, "a/b": float("inf"), "nan": float("nan")},
        },
    }


def test_what_goes_in_comes_out(tmp_path):
    state = example()
    save(state, tmp_path / "s")
    assert equal(state, load(tmp_path / "s"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(tmp_path, dtype):
    array = np.array([[0, 1, 2]]).astype(dtype)
    save({"a": array}, tmp_path / "s")
    assert equal({"a": array}, load(tmp_path / "s"))


def test_big_endian_arrays_keep_their_values(tmp_path):
    save({"a": np.array([1, 2, 3], ">f4")}, tmp_path / "s")
    assert equal({"a": np.array([1, 2, 3], "<f4")}, load(tmp_path / "s"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.integers(0, 3).map(lambda n: np.arange(n, dtype=np.float32)),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(st.text(st.characters(exclude_characters="/", codec="utf-8"), max_size=5),
                      inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(state=st.dictionaries(st.integers(0, 9) | st.sampled_from(["$items", "$tuple", "w"]), values))
def test_any_nesting_comes_back(tmp_path_factory, state):
    keys = [str(key) for key in state]
    if len(set(keys)) < len(keys):
        return
    path = tmp_path_factory.mktemp("s") / "s"
    save(state, path)
    assert equal(state, load(path))


def test_other_programs_read_the_arrays_under_their_keys(tmp_path):
    save(example(), tmp_path / "s.safetensors")
    with safe_open(tmp_path / "s.safetensors", framework="numpy") as file:
        assert set(file.keys()) >= {"conv.weight", "resume/state/0/m"}


def test_files_of_other_programs_are_read(tmp_path):
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "s", {"format": "pt"})
    assert equal(load(tmp_path / "s"), {"w": np.ones(3, np.float32)})


BFLOAT16 = [1.5, -(2.0**-130), 3.0e38, float("inf"), 0.1]  # 0.1 is rounded when it is made, not when read


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_bfloat16_comes_as_float32_exactly(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    state = {
        "first": torch.ones(3),
        "w": torch.tensor([BFLOAT16] * 2, dtype=torch.bfloat16, requires_grad=True),
        "half": torch.tensor([0.1], dtype=torch.float16),
        "number": torch.tensor(-2.5, dtype=torch.bfloat16),
        "empty": torch.zeros((0, 3), dtype=torch.bfloat16),
    }
    write = torch.save if suffix == "pth" else importlib.import_module("safetensors.torch").save_file
    write(state, tmp_path / f"s.{suffix}")
    loaded = load(tmp_path / f"s.{suffix}")
    expected = {
        key: (value.float() if value.dtype is torch.bfloat16 else value).detach().numpy()
        for key, value in state.items()
    }
    assert loaded["w"].dtype == np.float32 and loaded["half"].dtype == np.float16
    assert equal(expected, {key: loaded[key] for key in expected}) and len(loaded) == len(expected)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_dtype_that_numpy_has_not_is_refused_with_its_key(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    write = torch.save if suffix == "pth" else importlib.import_module("safetensors.torch").save_file
    write({"fine": torch.ones(2), "layer.w": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / f"s.{suffix}")
    with pytest.raises(CheckpointError, match=r"layer\.w is no array of NumPy's: (torch\.float8|F8)_"):
        load(tmp_path / f"s.{suffix}")


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        ({"a": {"b": {1, 2}}}, TypeError, "save: a/b is a set"),
        ({"a": np.array(["x"])}, TypeError, "a has dtype <U1"),
        ({"a": 1j}, TypeError, "a is a complex"),
        ({"a": {(1, 2): 3}}, TypeError, "keys of a must be strings or ints"),
        ({"a": {"b": np.ones(1)}, "a/b": np.ones(1)}, ValueError, "key 'a/b' is taken"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path, state, error, reason):
    with pytest.raises(error, match=reason):
        save(state, tmp_path / "s")
    assert not list(tmp_path.iterdir())


def damaged():
    yield "empty", lambda good: b"", "the file is empty"
    yield "cut in the header", lambda good: good[:40], "truncated"
    yield "cut in the arrays", lambda good: good[:-1], "truncated"
    yield "longer", lambda good: good + b"\0", "truncated|damaged"
    yield "text", lambda good: b"epoch,loss\n1,2\n" * 9, "not a safetensors file"
    yield "zip", lambda good: b"PK\3\4" + good, "not a safetensors file"
    yield "one bit of an array", lambda good: good[:-3] + bytes([good[-3] ^ 4]) + good[-2:], "checksum"


@pytest.mark.parametrize(("name", "change", "reason"), list(damaged()))
def test_damaged_files_are_refused_with_the_reason(tmp_path, name, change, reason):
    path = tmp_path / "s"
    save(example(), path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=reason) as info:
        load(path)
    assert str(path) in str(info.value)


HOSTILE = [
    '{"$tuple": 5}', '{"$items": 5}', '{"$items": [[1, 2, 3]]}', '{"$items": [[[1], 2]]}', '{"$array": "no"}',
    '{"$array": [1]}', "{", "[" * 100_000 + "]" * 100_000, '{"$tuple": [' * 3000 + "]}" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("tree", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_structure_with_the_right_checksum_is_refused(tmp_path, tree):
    metadata = {"tinygrad_notes": "1", "tree": tree, "crc32": _checksum(tree, {})}
    save_file({}, tmp_path / "s", metadata)
    with pytest.raises(CheckpointError, match="its metadata is not what save writes"):
        load(tmp_path / "s")


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("shape", [[0, 2**62], [0, 2**63], [2**62, 0], [0] * 70])
def test_a_hostile_shape_is_refused(tmp_path, shape, dtype):
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}}).encode()
    (tmp_path / "s").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="not readable as arrays"):
        load(tmp_path / "s")


@pytest.mark.parametrize("name", ["s", "s.pt"])
def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path, monkeypatch, name):
    def refuse(path, *arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    save(example(), tmp_path / name)
    monkeypatch.setattr(io, "open", refuse)  # root reads everything
    with pytest.raises(PermissionError, match="Permission denied"):
        load(tmp_path / name)


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_gives_other_values(tmp_path, seed):
    """A flip is refused, or it hit a name that only foreign readers see: then values are equal."""
    path, state, draw = tmp_path / "s", {"w": np.arange(6.0), "n": 3}, random.Random(seed)
    save(state, path)
    good = path.read_bytes()
    for place in draw.sample(range(8, len(good)), 60):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << draw.randrange(8)]) + good[place + 1 :])
        try:
            assert equal(load(path), state)
        except CheckpointError:
            continue


@pytest.mark.parametrize(
    ("now", "then"),
    [({"a": (2, 3), "b": (2, 3)}, (b'"a":', b'"b":')), ({"a": (2, 3)}, (b"[2,3]", b"[3,2]")),
     ({"a": (2, 3)}, (b'"F32"', b'"I32"'))],
)  # fmt: skip
def test_a_name_a_shape_and_a_dtype_are_part_of_the_checksum(tmp_path, now, then):
    file = tmp_path / "x.safetensors"
    save({name: np.full(shape, i + 1, np.float32) for i, (name, shape) in enumerate(now.items())}, file)
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = content[:end].replace(then[0], b"@").replace(then[1], then[0]).replace(b"@", then[1])
    assert len(header) == end and header != content[:end]
    file.write_bytes(header + content[end:])
    with pytest.raises(CheckpointError, match="checksum does not fit"):
        load(file)


def test_missing_file_and_folder():
    with pytest.raises(FileNotFoundError, match="no such file"):
        load("nowhere.safetensors")
    with pytest.raises(FileNotFoundError):
        save({}, "no/such/folder/s")


def test_failing_save_keeps_the_file_before(tmp_path, monkeypatch):
    save({"n": 1}, tmp_path / "s")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save({"n": 2}, tmp_path / "s")
    assert load(tmp_path / "s") == {"n": 1}
    assert [f.name for f in tmp_path.iterdir()] == ["s"]


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    if os.name != "posix":
        pytest.skip("folders cannot be flushed")
    events = []
    flush, rename = os.fsync, os.replace

    def fsync(handle):
        status = os.fstat(handle)
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "file"
        events.append((kind, status.st_ino, status.st_size if kind == "file" else None))
        flush(handle)

    def replace(part, path):
        events.append(("named", os.stat(part).st_ino, os.stat(part).st_size))
        rename(part, path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    save({"w": np.ones(10)}, tmp_path / "s")  # so few that they would wait in a buffer
    file = os.stat(tmp_path / "s")
    assert events == [
        ("file", file.st_ino, file.st_size), ("named", file.st_ino, file.st_size),
        ("folder", os.stat(tmp_path).st_ino, None),
    ]  # fmt: skip


WRITER = """
import sys, itertools, numpy as np
from tinygrad_notes.checkpoint import save
for n in itertools.count():
    save({"w": np.full(200_000, n, np.float32), "n": n}, sys.argv[1])
    print(n, flush=True)
"""


def test_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    draw = random.Random(0)
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path / "s"], stdout=subprocess.PIPE, text=True
        )
        first = int(writer.stdout.readline())  # one file is there from now on
        time.sleep(draw.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        last = int((["0", *writer.stdout.read().split()])[-1])
        writer.wait()
        writer.stdout.close()
        state = load(tmp_path / "s")
        assert max(first, last) <= state["n"] <= max(first, last) + 1
        assert (state["w"] == state["n"]).all()


def test_equal_states_are_equal_files(tmp_path):
    """To the last byte, so that a checksum of the files says whether two runs are the same."""
    state = {"a": {"b": np.arange(3.0), "猫": np.ones((2, 3), np.float32)}, "x": [1, "é\x01", None]}
    files = [tmp_path / f"{k}.safetensors" for k in range(8)]
    for file in files:
        save(state, file)
    assert len({file.read_bytes() for file in files}) == 1
    loaded = load(files[0])
    assert loaded["x"] == state["x"] and loaded["a"]["b"].tolist() == [0, 1, 2]
