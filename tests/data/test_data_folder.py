"""Folders of images, sound and damaged. Needs Pillow, an extra."""

import os
import sys
import threading
import warnings

import numpy as np
import pytest

from tinygrad_notes.data import DataError, DataLoader, ImageFolder, folder
from tinygrad_notes.data.listing import list_parts

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def picture(color, size=(12, 8)):
    return Image.new("RGB", size, color)


@pytest.fixture
def root(tmp_path):
    for name in ("cat", "ant", ".hidden"):
        (tmp_path / name).mkdir()
    picture((255, 0, 0)).save(tmp_path / "ant" / "1.png")
    picture((0, 255, 0), (8, 12)).save(tmp_path / "ant" / "2.png")
    picture((0, 0, 255)).save(tmp_path / "cat" / "1.png")
    (tmp_path / "ant" / ".DS_Store").write_bytes(b"x")
    return tmp_path


def test_sound_folder(root):
    data = ImageFolder(root, 4)
    assert data.classes == ("ant", "cat") and data.labels.tolist() == [0, 0, 1]
    assert data.images.shape == (3, 3, 4, 4) and data.images.dtype == np.uint8
    assert [tuple(image[:, 1, 1]) for image in data.images] == [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    ]
    assert [path.name for path in data.files] == ["1.png", "2.png", "1.png"]
    assert ImageFolder(root, (4, 6)).images.shape == (3, 3, 4, 6)
    assert len(list(DataLoader(data, 2))) == 2


def test_shorter_side_fits_and_the_middle_is_kept(tmp_path):
    (tmp_path / "a").mkdir()
    pixels = np.zeros((4, 12, 3), np.uint8)
    pixels[:, 4:8] = 200
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png")
    assert (ImageFolder(tmp_path, 4).images == 200).all()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99])
def test_a_split_leaves_every_class_in_both_parts(tmp_path, share):
    counts = {"a": 2, "b": 3, "c": 10}
    for name, count in counts.items():
        (tmp_path / name).mkdir()
        for i in range(count):
            picture((i, 0, 0)).save(tmp_path / name / f"{i}.png")
    parts, classes = list_parts(tmp_path, share=share)
    assert classes == list(counts)
    train, test = (np.bincount(labels, minlength=3) for _, labels in parts)
    assert (train + test).tolist() == list(counts.values()) and train.min() >= 1 and test.min() >= 1
    want = [min(max(1, round(share * count)), count - 1) for count in counts.values()]
    assert test.tolist() == want
    assert len({*parts[0][0], *parts[1][0]}) == sum(counts.values())


def test_no_file_starts_another_program(tmp_path, monkeypatch):
    """Pillow has Ghostscript render PostScript, whatever the name of the file says."""
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was started"))
    (tmp_path / "a").mkdir()
    picture((9, 9, 9)).save(tmp_path / "a" / "cat.jpg", "EPS")
    with pytest.raises(DataError, match=r"cat\.jpg: not a usable image \(of none of the formats BMP, GIF"):
        ImageFolder(tmp_path, 4)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("turned", [1, 6])
def test_a_large_jpeg_is_decoded_to_twice_the_size(tmp_path, mode, turned):
    """In an eighth of the time; the pixels are those of the whole image, scaled."""
    (tmp_path / "a").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC).convert(mode)
    exif = Image.Exif()
    exif[0x112] = turned
    image.save(tmp_path / "a" / "x.jpg", quality=95, exif=exif)
    (found,) = ImageFolder(tmp_path, (20, 30)).images
    with Image.open(tmp_path / "a" / "x.jpg") as opened:
        whole = ImageOps.exif_transpose(opened).convert("RGB")
    expected = np.asarray(ImageOps.fit(whole, (30, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_modes_become_rgb(tmp_path, mode):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / ("x.jpg" if mode == "CMYK" else "x.png")
    picture((255, 255, 255)).convert(mode).save(path)
    images = ImageFolder(tmp_path, 4).images
    assert images.shape == (1, 3, 4, 4) and (images > 250).all()


@pytest.mark.parametrize("transparency", [0, bytes([0] + [128] * 15)])
def test_transparency_of_a_palette_does_not_count(tmp_path, transparency):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    palette = Image.fromarray(pixels).quantize(16)
    for name, options in (("opaque", {}), ("transparent", {"transparency": transparency})):
        (tmp_path / name).mkdir()
        palette.save(tmp_path / name / "x.png", **options)
    opaque, transparent = ImageFolder(tmp_path, 8).images
    np.testing.assert_array_equal(transparent, opaque)
    assert len(np.unique(opaque)) > 10


def test_camera_orientation_is_applied(tmp_path):
    (tmp_path / "a").mkdir()
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # held upside down
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png", exif=exif)
    images = ImageFolder(tmp_path, 4).images
    assert (images[0, :, 2:] == 255).all() and (images[0, :, :2] == 0).all()


def damaged(root):
    """Odd files next to sound ones; returns their paths."""
    ant = root / "ant"
    jpeg = ant / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(jpeg)
    whole = jpeg.read_bytes()
    jpeg.unlink()
    (ant / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (ant / "empty.png").write_bytes(b"")
    (ant / "folder.png").mkdir()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(ant / "deep.png")
    (ant / "notes.txt").write_text("not an image")
    return sorted(ant / n for n in ("cut.jpg", "empty.png", "folder.png", "deep.png", "notes.txt"))


def test_damaged_files_are_refused_by_name(root):
    for path in damaged(root):
        with pytest.raises(DataError, match=r"ant.\w+\.\w+: not a usable image") as caught:
            ImageFolder(root, 4)
        assert str(path) in str(caught.value)
        path.rmdir() if path.is_dir() else path.unlink()
    assert len(ImageFolder(root, 4)) == 3


def test_damaged_files_are_skipped_and_reported(root):
    bad = damaged(root)
    with pytest.warns(UserWarning) as caught:
        data = ImageFolder(root, 4, on_error="skip")
    (warning,) = map(str, (w.message for w in caught))
    assert f"left out 5 of 8 files in {root}: ant" in warning
    assert all(f"{path.relative_to(root)} (" in warning for path in bad[:3])
    assert bad[3].name not in warning and warning.endswith(" and 2 more")
    assert [path for path, _ in data.skipped] == bad
    assert all(reason for _, reason in data.skipped)
    np.testing.assert_array_equal(data.images, ImageFolder(root_without(bad), 4).images)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkdir, "a folder: the files in it are not looked for"), (getattr(os, "mkfifo", None), "not a file")],
)
def test_what_is_no_file_is_refused_without_opening_it(root, make, reason):
    if make is None:
        pytest.skip("the system has no pipes with names")
    make(root / "cat" / "2.png")
    with pytest.raises(DataError, match=rf"2\.png: not a usable image \({reason}\)"):
        ImageFolder(root, 4)
    with pytest.warns(UserWarning, match=rf"2\.png \({reason}\)"):
        assert len(ImageFolder(root, 4, on_error="skip")) == 3


@pytest.fixture
def photographs(tmp_path):
    """30 files of more than 4 KB, the sixth and the eighth of them damaged."""
    rng = np.random.default_rng(0)
    for i in range(30):
        (tmp_path / "abc"[i // 10]).mkdir(exist_ok=True)
        path = tmp_path / "abc"[i // 10] / f"{i:02}.jpg"
        Image.fromarray(rng.integers(0, 256, (90 + i, 100, 3), dtype=np.uint8)).save(path, quality=90)
        if i in (5, 7):
            path.write_bytes(path.read_bytes()[:3000])
    return tmp_path


@pytest.fixture
def threads(monkeypatch):
    """Decode on four cores, whatever there are; the set holds the threads that decoded."""
    seen, decode = set(), folder._decode

    def watched(*arguments):
        seen.add(threading.current_thread())
        return decode(*arguments)

    monkeypatch.setattr(folder, "_decode", watched)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(4), raising=False)
    return seen


def test_large_files_are_decoded_on_all_cores_and_kept_in_order(photographs, threads, monkeypatch):
    calls = []
    with pytest.warns(UserWarning, match="left out 2 of 30 files"):
        data = ImageFolder(photographs, 64, "skip", progress=lambda *call: calls.append(call))
    assert threads and threading.main_thread() not in threads
    assert calls == [(f"decoding {photographs.name}", i, 30, "images") for i in range(1, 31)]
    monkeypatch.setattr(folder, "SMALL", float("inf"))
    threads.clear()
    with pytest.warns(UserWarning, match="left out 2 of 30 files"):
        plain = ImageFolder(photographs, 64, "skip")
    assert threads == {threading.main_thread()}
    np.testing.assert_array_equal(data.images, plain.images)
    assert (data.files, data.skipped) == (plain.files, plain.skipped)
    assert data.labels.tolist() == plain.labels.tolist() == [0] * 8 + [1] * 10 + [2] * 10


def test_first_damaged_file_is_named_whoever_decodes_it(photographs, threads):
    filters = list(warnings.filters)
    with pytest.raises(DataError, match=r"05\.jpg: not a usable image"):
        ImageFolder(photographs, 64)
    assert warnings.filters == filters


def test_nothing_more_is_decoded_after_ctrl_c(photographs, threads, monkeypatch):
    decoded, watched = [], folder._decode
    monkeypatch.setattr(folder, "_decode", lambda *a: (decoded.append(a), watched(*a))[1])
    monkeypatch.setattr(folder, "TOGETHER", 1)

    def interrupt(task, done, total, unit):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ImageFolder(photographs, 64, "skip", progress=interrupt)
    assert len(decoded) <= 1 + 4 * 4
    assert not any(thread.is_alive() for thread in threads)


def root_without(bad):
    for path in bad:
        path.rmdir() if path.is_dir() else path.unlink()
    return bad[0].parent.parent


def test_class_without_usable_image_is_refused(root):
    (root / "cat" / "1.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match="cat: holds no usable image"):
        ImageFolder(root, 4, on_error="skip")


def test_absurd_dimensions_are_refused(root, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with warnings.catch_warnings(), pytest.raises(DataError, match="not a usable image"):
        warnings.simplefilter("ignore")
        ImageFolder(root, 4)


@pytest.mark.parametrize("arguments", [{"size": 0}, {"size": 4, "on_error": "ignore"}])
def test_bad_arguments_are_refused(root, arguments):
    with pytest.raises(ValueError, match="ImageFolder"):
        ImageFolder(root, **arguments)


def test_root_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected one for each class"):
        ImageFolder(tmp_path, 4)


def test_missing_pillow_is_said_plainly(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        ImageFolder(root, 4, on_error="skip")
