"""Downloads against a server on this machine: order of mirrors, checks, nothing left behind."""

import gzip
import hashlib
import http.server
import socket
import struct
import threading

import numpy as np
import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.data import DataError, cache_folder, download, fetch, load


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


FILES = {
    "train-images-idx3-ubyte.gz": idx(
        np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    ),
    "train-labels-idx1-ubyte.gz": idx(np.arange(300, dtype=np.uint8) % 10),
    "t10k-images-idx3-ubyte.gz": idx(np.ones((5, 28, 28), np.uint8)),
    "t10k-labels-idx1-ubyte.gz": idx(np.arange(5, dtype=np.uint8)),
}
FIRST = "train-images-idx3-ubyte.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    """The first part of the path says how the answer is spoilt."""

    def do_GET(self):
        _, how, name = self.path.split("/")
        self.server.asked.append(self.path)
        body = FILES[name]
        if how == "missing":
            self.send_error(404)
            return
        if how == "tampered":
            body = body[:100] + bytes([body[100] ^ 1]) + body[101:]
        elif how == "short":
            body = body[:-3]
        elif how == "long":
            body += b"x"
        if how == "nonsense":
            self.wfile.write(b"no answer of HTTP\r\n\r\n")
            return
        self.send_response(200)
        if how == "torn":  # http.client raises IncompleteRead
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(body) + body[: len(body) // 2])
            return
        if how == "endless":
            self.end_headers()
            while not self.wfile.closed:
                self.wfile.write(bytes(1 << 16))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how == "broken" else body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client hangs up on an endless answer


@pytest.fixture(scope="module")
def running():
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(running, monkeypatch, tmp_path):
    """The server, and a table of small files in place of the real ones."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path))
    running.asked = []
    running.url = f"http://127.0.0.1:{running.server_port}"
    files = tuple(
        download.RemoteFile(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in FILES.items()
    )
    source = download.Source(files, (f"{running.url}/good",))
    monkeypatch.setitem(download.SOURCES, "mnist", source)
    monkeypatch.setitem(download.SOURCES, "fashion-mnist", source)
    return running


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fetch_then_load(server, tmp_path):
    folder = fetch("mnist")
    assert folder == tmp_path / "mnist"
    assert names(folder) == sorted(FILES)
    assert all((folder / name).read_bytes() == body for name, body in FILES.items())
    train, test = load("mnist")
    assert train.images.shape == (300, 1, 28, 28) and len(test) == 5
    assert test.classes == tuple("0123456789")


def test_files_that_are_there_are_kept(server):
    fetch("mnist")
    server.asked.clear()
    fetch("mnist")
    assert server.asked == []


def test_damaged_file_in_the_cache_is_replaced(server):
    path = fetch("mnist") / FIRST
    path.write_bytes(FILES[FIRST][:-1] + b"?")
    with pytest.raises(DataError, match=f"{FIRST}: not the published file"):
        load("mnist")
    train, _ = load("mnist", download=True)
    assert len(train) == 300
    assert path.read_bytes() == FILES[FIRST]


def test_other_files_in_the_cache_are_not_used(server, tmp_path):
    """Well-formed ones under the names of the published files, packed or beside them unpacked."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in FILES:
        array = np.zeros((2, 28, 28) if "images" in name else 2, np.uint8)
        (folder / name).write_bytes(idx(array))
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(idx(array)))
    with pytest.raises(DataError, match=f"{FIRST}: not the published file of .* add --download"):
        load("mnist")
    assert len(load(folder)[0]) == 2  # a folder of one's own is
    train, test = load("mnist", download=True)
    assert (len(train), len(test)) == (300, 5)
    (folder / FIRST).unlink()
    with pytest.raises(DataError, match="mnist is not in"):
        load("mnist")


def test_root_and_progress(server, tmp_path):
    calls = []
    folder = fetch("mnist", root=tmp_path / "elsewhere", progress=lambda *call: calls.append(call))
    assert folder == tmp_path / "elsewhere" / "mnist"
    first = [done for task, done, *_ in calls if task == f"downloading {FIRST} (1 of 4)"]
    assert first == sorted(first) and len(first) > 1 and first[-1] == len(FILES[FIRST])
    assert [call for call in calls if call[1] == call[2]] == [
        (f"downloading {name} ({number} of 4)", len(body), len(body), "bytes")
        for number, (name, body) in enumerate(FILES.items(), 1)
    ]


def test_command_shows_the_downloads(server, tmp_path, capsys):
    options = ["--limit", "8", "--epochs", "1", "--out", str(tmp_path / "r")]
    assert main(["train", "mlp", "--data", "mnist", "--download", *options]) == 0
    lines = capsys.readouterr().err.splitlines()
    size = f"{len(FILES[FIRST]) / 1e3:.1f}"
    assert lines[0].startswith(f"downloading {FIRST} (1 of 4): {size}/{size} kB, ")
    assert [line.split(" of ")[0] for line in lines[1:4]] == [
        f"downloading {name} ({number}" for number, name in list(enumerate(FILES, 1))[1:]
    ]


SPOILT = {
    "missing": "404",
    "tampered": r"SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}",
    "short": rf"{len(FILES[FIRST]) - 3} bytes arrived, expected {len(FILES[FIRST])}",
    "long": rf"more bytes arrived, expected {len(FILES[FIRST])}",
    "endless": rf"more bytes arrived, expected {len(FILES[FIRST])}",
    "torn": "IncompleteRead",
    "nonsense": "no answer of HTTP",
    "broken": "bytes",  # "N bytes arrived" or http.client's own "IncompleteRead(N bytes read"
}


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_download_is_refused_and_leaves_nothing(server, tmp_path, how):
    with pytest.raises(DataError, match=SPOILT[how]) as caught:
        fetch("mnist", mirrors=[f"{server.url}/{how}"])
    assert f"/{how}/{FIRST}" in str(caught.value)
    assert f"into {tmp_path / 'mnist'} by hand" in str(caught.value)
    assert names(tmp_path / "mnist") == []


@pytest.mark.parametrize("how", SPOILT)
def test_next_mirror_is_tried(server, how):
    folder = fetch("mnist", mirrors=[f"{server.url}/{how}/", f"{server.url}/good/"])
    assert names(folder) == sorted(FILES)
    assert server.asked[:2] == [f"/{how}/{FIRST}", f"/good/{FIRST}"]


def test_interrupted_download_leaves_nothing(server, tmp_path):
    def interrupt(*call):
        assert any(path.suffix == ".part" for path in (tmp_path / "mnist").iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mnist", progress=interrupt)
    assert names(tmp_path / "mnist") == []


def test_offline_says_where_to_put_the_files(server, tmp_path):
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DataError) as caught:
            fetch("mnist", mirrors=[f"http://127.0.0.1:{taken.getsockname()[1]}"])
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(f"put {', '.join(FILES)} into {tmp_path / 'mnist'} by hand")
    assert names(tmp_path / "mnist") == []


def test_silent_server_times_out(server):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DataError, match="timed out"):
            fetch("mnist", mirrors=[f"http://127.0.0.1:{silent.getsockname()[1]}"], timeout=0.05)


def test_nothing_is_fetched_unless_asked_for(server, tmp_path):
    with pytest.raises(
        DataError, match=r"mnist is not in .*mnist: add --download .from Python: download=True., or put"
    ):
        load("mnist")
    assert server.asked == [] and list(tmp_path.iterdir()) == []


def test_load_downloads_when_allowed(server):
    train, _ = load("fashion-mnist", download=True)
    assert train.classes[9] == "Ankle boot"
    assert load("fashion-mnist")[0].classes == train.classes


def test_unknown_name_is_refused(server):
    with pytest.raises(ValueError, match="known are mnist, fashion-mnist, cifar10"):
        fetch("imagenet")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("TINYGRAD_NOTES_DATA")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tinygrad_notes"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tinygrad_notes"


def test_table_is_complete():
    """Every file of the real table: a size, a SHA-256, mirrors; no two files alike."""
    files = [file for source in download.SOURCES.values() for file in source.files]
    assert len(files) == 9 and len({file.sha256 for file in files}) == 9
    assert all(len(bytes.fromhex(file.sha256)) == 32 and file.size > 4000 for file in files)
    assert all(len(source.mirrors) >= 2 for source in download.SOURCES.values())
