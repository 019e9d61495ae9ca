"""The tiny person data set: what it takes, what it refuses, and what a failure leaves behind."""

from __future__ import annotations

import _thread
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.tools.loading import ROOT, load_tool

TOOL = ROOT / "tools" / "make_tiny_person_from_coco128.py"
COCO128 = Path(os.environ.get("CV_YOLO_COCO128", ROOT.parent / "shared" / "data" / "coco128"))
SMALL = ("--counts", "3", "2", "1", "--size", "64")
PERSON_LINE = "0 0.500000 0.500000 0.250000 0.500000"

tool = load_tool(TOOL)


def add_image(
    source: Path, name: str, *lines: str, image: Image.Image | None = None, exif: Image.Exif | None = None
) -> Path:
    """One image, unlike every image of another name, and its label."""
    colour = hashlib.sha256(name.encode()).digest()
    picture = image or Image.new("RGB", (48, 32), (colour[0], colour[1], colour[2]))
    path = source / "images" / "train2017" / name
    label = source / "labels" / "train2017" / f"{path.stem}.txt"
    for target in (path, label):
        target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=95, exif=exif or Image.Exif())
    label.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def label_of(source: Path, name: str) -> Path:
    return source / "labels" / "train2017" / f"{name}.txt"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight images with a person and two without, in COCO128's layout."""
    folder = tmp_path / "downloads" / "coco128"
    for number in range(8):
        add_image(folder, f"{number:012}.jpg", "17 0.5 0.5 0.1 0.1", PERSON_LINE)
    for number in range(8, 10):
        add_image(folder, f"{number:012}.jpg", "17 0.5 0.5 0.1 0.1")
    return folder


@dataclass(frozen=True, kw_only=True)
class Answer:
    code: int
    out: Path
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, object]:
        assert self.code == 0, self.stderr
        answer: dict[str, object] = json.loads(self.stdout)
        return answer

    @property
    def manifest(self) -> dict[str, object]:
        assert self.code == 0, self.stderr
        answer: dict[str, object] = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))
        return answer


Make = Callable[..., Answer]


@pytest.fixture
def make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """The tool's own main() on a source, into data/tiny_coco, with the summary as JSON."""

    def run(source: Path | str, *options: str, out: Path = tmp_path / "data" / "tiny_coco") -> Answer:
        code = tool.main(["--source", str(source), "--out", str(out), "--json", *SMALL, *options])
        printed = capsys.readouterr()
        return Answer(code=code, out=out, stdout=printed.out, stderr=printed.err)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too: equal contents are equal folders."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def picture_kinds(folder: Path) -> set[tuple[str | None, str, tuple[int, int]]]:
    """Format, mode and size in pixels of the images of a data set."""
    kinds = set()
    for path in (folder / "images").rglob("*.*"):
        with Image.open(path) as image:
            kinds.add((image.format, image.mode, image.size))
    return kinds


def entries_beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


def assert_refused(answer: Answer, *words: str, code: int = 2) -> None:
    """One error line and one hint line, with the words; nothing was made."""
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("downloading ")]
    assert answer.code == code, answer.stderr
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    assert [word for word in words if word not in answer.stderr] == []
    assert answer.stdout == ""
    assert not answer.out.exists()


# What is made


def test_every_split_gets_its_images_and_every_image_one_split(source: Path, make: Make) -> None:
    made = make(source)
    images = {split: sorted(path.stem for path in (made.out / "images" / split).iterdir()) for split in tool.SPLITS}
    labels = {split: sorted(path.stem for path in (made.out / "labels" / split).iterdir()) for split in tool.SPLITS}
    assert [len(images[split]) for split in tool.SPLITS] == [3, 2, 1]
    assert labels == images
    assert len(set().union(*images.values())) == 6


def test_images_without_a_person_are_never_drawn(source: Path, make: Make) -> None:
    made = make(source, "--counts", "6", "1", "1")
    assert {Path(name).stem for name in contents(made.out / "images")} == {f"{number:012}" for number in range(8)}


def test_only_persons_are_labelled_and_every_image_is_an_rgb_square(source: Path, make: Make) -> None:
    made = make(source)
    labels = [path.read_text(encoding="utf-8") for path in (made.out / "labels").rglob("*.txt")]
    assert {line.split()[0] for text in labels for line in text.splitlines()} == {"0"}
    assert picture_kinds(made.out) == {("JPEG", "RGB", (64, 64))}


def test_the_data_yaml_points_every_split_at_its_own_images(source: Path, make: Make) -> None:
    made = make(source)
    expected = "train: images/train\nval: images/val\ntest: images/test\nnames:\n  0: person\n"
    assert (made.out / "data.yaml").read_bytes() == expected.encode()


def test_a_split_of_no_images_is_not_named_in_the_data_yaml(source: Path, make: Make) -> None:
    made = make(source, "--counts", "3", "2", "0")
    assert "test:" not in (made.out / "data.yaml").read_text(encoding="utf-8")


def test_the_manifest_lists_every_image_with_its_hashes(source: Path, make: Make) -> None:
    made = make(source)
    manifest = made.manifest
    images = manifest.pop("images")
    revision = manifest.pop("revision")
    assert isinstance(images, list)
    origin = {"tool": "make_tiny_person_from_coco128", "seed": 0, "size_px": 64}
    assert manifest == {"format": 1, "name": "tiny_coco", "classes": ["person"], "origin": origin}
    assert [entry["image"] for entry in images] == sorted(f"images/{name}" for name in contents(made.out / "images"))
    for entry in images:
        for kind in ("image", "label"):
            assert entry[f"{kind}_sha256"] == hashlib.sha256((made.out / entry[kind]).read_bytes()).hexdigest()
        assert (entry["width_px"], entry["height_px"], entry["boxes"], entry["attributes"]) == (64, 64, 1, {})
    keys = ("split", "image", "image_sha256", "label_sha256")
    text = "classes\tperson\n" + "".join("\t".join(entry[key] for key in keys) + "\n" for entry in images)
    assert revision == hashlib.sha256(text.encode()).hexdigest() == made.summary["revision"]


def test_no_file_names_a_place_outside_the_data_set(source: Path, make: Make, tmp_path: Path) -> None:
    made = make(source)
    assert [name for name, content in contents(made.out).items() if str(tmp_path).encode() in content] == []


def test_two_runs_are_byte_identical_and_another_seed_is_not(source: Path, make: Make, tmp_path: Path) -> None:
    first = contents(make(source).out)
    again = contents(make(source, out=tmp_path / "elsewhere" / "tiny_coco").out)
    other = contents(make(source, "--seed", "1").out)
    assert first == again
    assert other.keys() != first.keys()


def test_the_summary_counts_what_was_left_aside(source: Path, make: Make) -> None:
    label_of(source, "000000000008").unlink()
    label_of(source, "missing").write_text(PERSON_LINE, encoding="utf-8")
    label_of(source, "no-one").write_text("not even read", encoding="utf-8")
    summary = make(source).summary
    del summary["revision"], summary["out"]
    assert summary == {
        "images_found": 10,
        "images_with_persons": 8,
        "images_given_twice": 0,
        "images_without_label": 1,
        "labels_without_image": 2,
        "boxes_dropped": 0,
        "images_written": {"train": 3, "val": 2, "test": 1},
        "boxes_written": {"train": 3, "val": 2, "test": 1},
    }


def test_an_image_given_twice_is_kept_once(source: Path, make: Make) -> None:
    (source / "images/train2017/copy.jpg").write_bytes((source / "images/train2017/000000000000.jpg").read_bytes())
    label_of(source, "copy").write_text(PERSON_LINE, encoding="utf-8")
    made = make(source, "--counts", "6", "1", "1")
    assert made.summary["images_given_twice"] == 1
    assert not [name for name in contents(made.out) if "copy" in name]


def test_a_duplicate_does_not_make_up_for_a_missing_image(source: Path, make: Make) -> None:
    (source / "images/train2017/copy.jpg").write_bytes((source / "images/train2017/000000000000.jpg").read_bytes())
    label_of(source, "copy").write_text(PERSON_LINE, encoding="utf-8")
    assert_refused(make(source, "--counts", "7", "1", "1"), "8 found, 9 needed")


def test_the_plain_summary_is_a_few_readable_lines(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--source", str(source), "--out", str(tmp_path / "made"), *SMALL]) == 0
    facts = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert facts[1] == "images with persons 8"
    assert "images written 3 train, 2 val, 1 test" in facts


# Pictures and boxes


def only_label(made: Answer) -> list[float]:
    (label,) = (made.out / "labels").rglob("*.txt")
    return [float(value) for value in label.read_text(encoding="utf-8").split()[1:]]


def only_image(made: Answer) -> Image.Image:
    (path,) = (made.out / "images").rglob("*.jpg")
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_the_label_frames_the_painted_person_in_every_colour_mode(mode: str, tmp_path: Path, make: Make) -> None:
    picture = Image.new("RGB", (640, 480), "black")
    picture.paste("white", (160, 120, 320, 360))
    suffix = "jpg" if mode in {"L", "CMYK"} else "png"
    add_image(tmp_path / "coco", f"a.{suffix}", "0 0.375 0.5 0.25 0.5", image=picture.convert(mode))
    made = make(tmp_path / "coco", "--counts", "1", "0", "0", "--size", "320")
    cx, cy, w, h = (value * 320 for value in only_label(made))
    frame = (round(cx - w / 2), round(cy - h / 2), round(cx + w / 2), round(cy + h / 2))
    bright = only_image(made).convert("L").point(lambda value: 255 * (value > 160))
    assert frame == (80, 100, 160, 220) == bright.getbbox()


def test_the_rest_of_the_square_is_grey(tmp_path: Path, make: Make) -> None:
    add_image(tmp_path / "coco", "a.png", PERSON_LINE, image=Image.new("RGB", (640, 320), "red"))
    image = only_image(make(tmp_path / "coco", "--counts", "1", "0", "0"))
    assert [image.getpixel(place) for place in ((0, 0), (63, 63), (32, 8), (32, 55))] == [(114, 114, 114)] * 4
    red = image.getpixel((32, 32))
    assert isinstance(red, tuple)
    assert red[0] > 245


def test_a_photograph_taken_sideways_is_turned_upright_like_its_label(tmp_path: Path, make: Make) -> None:
    upright = Image.new("RGB", (240, 320), "black")
    upright.paste("white", (0, 0, 120, 160))
    turned = Image.Exif()
    turned[274] = 6
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    add_image(tmp_path / "coco", "a.jpg", "0 0.25 0.25 0.5 0.5", image=stored, exif=turned)
    made = make(tmp_path / "coco", "--counts", "1", "0", "0", "--size", "320")
    bright = only_image(made).convert("L").point(lambda value: 255 * (value > 180))
    assert only_label(made) == [0.3125, 0.25, 0.375, 0.5]
    assert bright.getbbox() == (40, 0, 160, 160)


def test_a_box_that_leaves_the_image_is_clipped_to_it(tmp_path: Path, make: Make) -> None:
    add_image(tmp_path / "coco", "a.png", "0 0.0 0.5 0.5 1.0", image=Image.new("RGB", (64, 64)))
    assert only_label(make(tmp_path / "coco", "--counts", "1", "0", "0")) == [0.125, 0.5, 0.25, 1.0]


def test_a_box_without_area_in_the_square_is_dropped_and_counted(tmp_path: Path, make: Make) -> None:
    thread = Image.new("RGB", (4, 3000))
    add_image(tmp_path / "coco", "a.png", PERSON_LINE, "0 0.5 0.5 0.00001 0.5", image=thread)
    add_image(tmp_path / "coco", "b.png", "0 0.5 0.5 0.00001 0.5", image=Image.new("RGB", (5, 3000)))
    made = make(tmp_path / "coco", "--counts", "1", "0", "0")
    assert (made.summary["images_with_persons"], made.summary["boxes_dropped"]) == (1, 2)
    assert made.summary["boxes_written"] == {"train": 1, "val": 0, "test": 0}


sides = st.integers(min_value=1, max_value=2000)
fractions = st.floats(min_value=0.0, max_value=1.0, allow_subnormal=False)


@settings(deadline=None)
@given(
    image=st.tuples(sides, sides),
    size=st.integers(1, 40),
    xs=st.tuples(fractions, fractions),
    ys=st.tuples(fractions, fractions),
)
def test_a_moved_box_keeps_its_place_in_the_scaled_image(
    image: tuple[int, int], size: int, xs: tuple[float, float], ys: tuple[float, float]
) -> None:
    place = tool.Letterbox.fit(image, size_px=32 * size)
    box = tool.Box(cx=sum(xs) / 2, cy=sum(ys) / 2, w=abs(xs[0] - xs[1]), h=abs(ys[0] - ys[1]))
    moved = place.move(box)
    if moved is None:
        assert min(box.w * place.width_px, box.h * place.height_px) < 1e-6 * 32 * size
        return
    for centre, length, start_px, length_px, expected in (
        (moved.cx, moved.w, place.left_px, place.width_px, sorted(xs)),
        (moved.cy, moved.h, place.top_px, place.height_px, sorted(ys)),
    ):
        edges_px = [(centre - length / 2) * 32 * size, (centre + length / 2) * 32 * size]
        assert [(edge_px - start_px) / length_px for edge_px in edges_px] == pytest.approx(
            expected, abs=1e-9 * 32 * size
        )


@settings(deadline=None)
@given(image=st.tuples(sides, sides), size=st.integers(1, 40))
def test_a_letterbox_fills_the_longer_side_and_centres_the_shorter_one(image: tuple[int, int], size: int) -> None:
    side_px = 32 * size
    place = tool.Letterbox.fit(image, size_px=side_px)
    assert max(place.width_px, place.height_px) == side_px
    exact_px = side_px * min(image) / max(image)
    assert abs(min(place.width_px, place.height_px) - max(exact_px, 1)) <= 0.5
    assert 0 <= side_px - place.width_px - 2 * place.left_px <= 1
    assert 0 <= side_px - place.height_px - 2 * place.top_px <= 1


# Sources


def pack(folder: Path, archive: Path) -> Path:
    """A zip with the folder's own name on top, as the official one has."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(folder.rglob("*")):
            bundle.write(path, path.relative_to(folder.parent))
    return archive


def test_a_folder_the_folder_around_it_a_zip_and_a_file_address_give_the_same_data(
    source: Path, make: Make, tmp_path: Path
) -> None:
    archive = pack(source, tmp_path / "coco128.zip")
    sources = (source, source.parent, archive, archive.as_uri())
    made = [contents(make(each, out=tmp_path / f"{number}" / "tiny_coco").out) for number, each in enumerate(sources)]
    assert made == [made[0]] * 4


def test_the_source_is_never_written(source: Path, make: Make) -> None:
    before = contents(source.parent)
    assert make(source.parent).code == 0
    assert contents(source.parent) == before


def test_the_data_set_may_be_made_beside_its_source_again_and_again(source: Path, make: Make) -> None:
    out = source.parent / "tiny_coco"
    assert [make(source.parent, out=out).code for _ in range(2)] == [0, 0]
    assert entries_beside(out) == ["coco128", "tiny_coco"]


class Server(ThreadingHTTPServer):
    """Serves one zip under several tempers; the path's first word is the temper."""

    daemon_threads = True
    content = b""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        content, temper = self.server.content, self.path.split("/")[1]
        self.send_response(404 if temper == "missing" else 200)
        self.send_header("Content-Length", {"huge": "9" * 12}.get(temper, str(len(content))))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content[: len(content) // 2])
            if temper == "interrupt":
                _thread.interrupt_main(signal.SIGINT)
            if temper != "truncated":
                self.wfile.write(content[len(content) // 2 :])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on a free loopback port, reached without any proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.content = pack(source, tmp_path / "served.zip").read_bytes()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_http_address_gives_the_same_data_as_the_folder(address: str, source: Path, make: Make) -> None:
    assert contents(make(f"{address}/ok/coco128.zip").out) == contents(make(source).out)


def test_a_download_that_ends_early_is_refused(address: str, make: Make) -> None:
    assert_refused(make(f"{address}/truncated/coco128.zip"), "download ended at", "--source FILE")


def test_a_download_larger_than_any_coco128_is_refused(address: str, make: Make) -> None:
    assert_refused(make(f"{address}/huge/coco128.zip"), "larger than 2,147,483,648 bytes")


def test_a_missing_page_is_named_with_its_status(address: str, make: Make) -> None:
    assert_refused(make(f"{address}/missing/coco128.zip"), "404", "/missing/coco128.zip")


def test_offline_the_hint_says_what_to_do_instead(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    answer = make(f"http://127.0.0.1:{port}/coco128.zip")
    assert_refused(answer, "cannot be downloaded", "download it elsewhere", "--source FILE")


def test_a_token_in_an_address_is_not_printed(address: str, make: Make) -> None:
    assert "s3cret" not in make(f"{address}/ok/coco128.zip?token=s3cret").stderr
    assert "s3cret" not in make("ftp://user:s3cret@127.0.0.1/coco128.zip").stderr


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/coco128.zip", "s3://bucket/coco128.zip"])
def test_an_address_of_another_kind_is_refused(url: str, make: Make) -> None:
    assert_refused(make(url), url, "not an http, https or file address")


# Refusals


def test_too_few_images_are_refused_with_their_number(source: Path, make: Make) -> None:
    answer = make(source, "--counts", "40", "10", "10")
    assert_refused(answer, "8 found, 60 needed (40 train + 10 val + 10 test)", "--counts")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.1", "4 fields instead of 5"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 fields instead of 5"),
        ("0 1.2 0.5 0.1 0.1", "outside [0, 1]"),
        ("0 0.5 -0.1 0.1 0.1", "outside [0, 1]"),
        ("0 0.5 0.5 nan 0.1", "outside [0, 1]"),
        ("0 0.5 0.5 inf 0.1", "outside [0, 1]"),
        ("-1 0.5 0.5 0.1 0.1", "class below 0"),
        ("0.5 0.5 0.5 0.1 0.1", "whole class number"),
        ("person 0.5 0.5 0.1 0.1", "whole class number"),
        ("0 0.5 0.5 0,1 0.1", "four numbers"),
        ("0 0.5 0.5 0 0.1", "without width or height"),
    ],
)
def test_a_wrong_label_line_is_refused_with_file_and_line(line: str, reason: str, source: Path, make: Make) -> None:
    label_of(source, "000000000009").write_text(f"{PERSON_LINE}\n\n{line}\n", encoding="utf-8")
    assert_refused(make(source), "labels/train2017/000000000009.txt, line 3: ", reason, f"found {line!r}")


def test_a_label_that_is_not_text_is_refused_with_file_and_line(source: Path, make: Make) -> None:
    label_of(source, "000000000003").write_bytes(b"0 0.5 0.5 \xff\xfe 0.1\n")
    assert_refused(make(source), "labels/train2017/000000000003.txt, line 1")


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_are_read(source: Path, make: Make) -> None:
    label_of(source, "000000000003").write_bytes(b"\xef\xbb\xbf" + f"{PERSON_LINE}\r\n\r\n  \r\n".encode())
    assert make(source).summary["images_with_persons"] == 8


@pytest.mark.parametrize("damage", [b"", b"not an image", None], ids=["empty", "text", "cut"])
def test_an_image_that_does_not_decode_is_refused_by_name(damage: bytes | None, source: Path, make: Make) -> None:
    path = source / "images" / "train2017" / "000000000004.jpg"
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    assert_refused(make(source), "images/train2017/000000000004.jpg: does not decode")


def test_two_images_of_one_name_are_refused(source: Path, make: Make) -> None:
    add_image(source, "000000000004.png", PERSON_LINE)
    assert_refused(make(source), "000000000004.jpg", "000000000004.png", "same name")


def test_a_source_that_is_not_there_or_not_coco128_is_refused(source: Path, make: Make, tmp_path: Path) -> None:
    assert_refused(make(tmp_path / "nowhere"), "nowhere: no such file or folder")
    assert_refused(make(source / "images"), "images/ and labels/", "found none")


def test_two_data_sets_in_the_source_folder_are_refused_by_name(source: Path, make: Make) -> None:
    add_image(source.parent / "coco8", "a.jpg", PERSON_LINE)
    assert_refused(make(source.parent), "found coco128, coco8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--counts", "0", "1", "1"), "0 train + 1 val + 1 test"),
        (("--counts", "1", "-1", "1"), "1 train + -1 val + 1 test"),
        (("--counts", "1", "1"), "--counts"),
        (("--size", "100"), "100 is not a positive multiple of 32"),
        (("--size", "0"), "0 is not a positive multiple of 32"),
        (("--size", "-32"), "-32 is not a positive multiple of 32"),
        (("--seed", "pi"), "--seed"),
        (("--seeds", "3"), "--seeds"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options: Sequence[str], words: str, source: Path, make: Make) -> None:
    assert_refused(make(source, *options), words)


def zip_with(member: zipfile.ZipInfo | str, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("coco128/README.txt", "harmless")
        bundle.writestr(member, "../../harmful")
    return archive


def test_a_zip_member_with_a_wrong_checksum_is_refused_by_name(make: Make, tmp_path: Path) -> None:
    archive = zip_with("coco128/images/a.jpg", tmp_path / "crc.zip")
    archive.write_bytes(archive.read_bytes().replace(b"../../harmful", b"../../HARMFUL"))
    assert_refused(make(archive), "not a sound zip file (coco128/images/a.jpg is damaged)")


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "coco128/../../evil.jpg", "/tmp/evil.jpg", "C:/evil.jpg", "c:evil.jpg", "..\\evil.jpg", "\\evil"],
)
def test_a_zip_that_would_write_outside_its_folder_is_refused(name: str, make: Make, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("placeholder")
    member.filename = member.orig_filename = name
    assert_refused(make(zip_with(member, tmp_path / "evil.zip")), "evil.zip: would write outside its folder")
    assert [path for path in tmp_path.rglob("*") if "evil" in path.name] == [tmp_path / "evil.zip"]


def test_a_zip_with_a_link_is_refused(make: Make, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("coco128/images")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert_refused(make(zip_with(link, tmp_path / "link.zip")), "would write outside its folder ('coco128/images')")


def test_a_zip_that_unpacks_to_more_than_any_coco128_is_refused(make: Make, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as bundle:
        bundle.writestr("coco128/images/a.jpg", b"0")
        bundle.infolist()[0].file_size = 3 * 1024**3
    assert_refused(make(tmp_path / "bomb.zip"), "3,221,225,472 bytes unpacked")


def test_a_damaged_zip_is_refused(source: Path, make: Make, tmp_path: Path) -> None:
    content = pack(source, tmp_path / "whole.zip").read_bytes()
    flipped = content[:2000] + bytes(byte ^ 0xFF for byte in content[2000:2100]) + content[2100:]
    for damaged in (b"", b"<html>", content[:-100], content[: len(content) // 2], flipped):
        (tmp_path / "damaged.zip").write_bytes(damaged)
        assert_refused(make(tmp_path / "damaged.zip"), "damaged.zip: not a sound zip file", "download it again")


# Where the data set goes


def test_a_folder_that_holds_anything_else_is_never_replaced(source: Path, make: Make, tmp_path: Path) -> None:
    (tmp_path / "project" / "src").mkdir(parents=True)
    answer = make(source, out=tmp_path / "project")
    assert (answer.code, entries_beside(answer.out / "src")) == (2, ["src"])
    assert "holds more than a data set (src)" in answer.stderr


def test_a_file_is_never_replaced(source: Path, make: Make, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    answer = make(source, out=tmp_path / "notes")
    assert (answer.code, answer.out.read_text(encoding="utf-8")) == (2, "mine")


def test_the_source_is_never_replaced(source: Path, make: Make, tmp_path: Path) -> None:
    before = contents(source)
    for out in (source, source / "images", source / "tiny_coco"):
        assert make(source, out=out).code == 2
    archive = pack(source, tmp_path / "data.zip")
    (tmp_path / "set" / "images").mkdir(parents=True)
    archive = archive.rename(tmp_path / "set" / "images" / "coco128.zip")
    answer = make(archive, out=tmp_path / "set")
    assert "overlap" in answer.stderr
    assert archive.exists()
    assert contents(source) == before


def test_a_new_data_set_replaces_the_old_one_whole(source: Path, make: Make) -> None:
    make(source, "--counts", "6", "1", "1")
    made = make(source, "--counts", "1", "0", "0")
    assert len(contents(made.out / "images")) == 1
    assert entries_beside(made.out) == ["tiny_coco"]


def test_a_refusal_leaves_the_former_data_as_they_were(source: Path, make: Make) -> None:
    out = make(source).out
    before = contents(out.parent)
    label_of(source, "000000000000").write_text("0 2 2 2 2", encoding="utf-8")
    assert make(source).code == 2
    assert contents(out.parent) == before
    assert entries_beside(out) == ["tiny_coco"]


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_ctrl_c_leaves_the_former_data_as_they_were(address: str, source: Path, make: Make) -> None:
    out = make(source).out
    before = contents(out.parent)
    answer = make(f"{address}/interrupt/coco128.zip", "--seed", "1")
    assert answer.code == 130
    assert "error: interrupted" in answer.stderr
    assert contents(out.parent) == before
    assert entries_beside(out) == ["tiny_coco"]


def test_a_full_disk_leaves_the_former_data_as_they_were(source: Path, make: Make) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX thing")
    out = make(source).out
    before = contents(out.parent)
    limit = 600
    assert limit < min(len(content) for name, content in before.items() if name.endswith(".jpg"))
    ended = subprocess.run(
        [sys.executable, str(TOOL), "--source", str(source), "--out", str(out), *SMALL, "--seed", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # it writes too
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["error", "hint"]
    assert contents(out.parent) == before
    assert entries_beside(out) == ["tiny_coco"]


def test_a_swap_that_fails_half_way_puts_the_former_data_back(source: Path, make: Make, tmp_path: Path) -> None:
    out = make(source).out
    before = contents(out.parent)
    with pytest.raises(FileNotFoundError):
        tool.swap_in(tmp_path / "never made", out, work=tmp_path)
    assert contents(out.parent) == before


def test_after_a_kill_between_the_two_renames_the_next_run_puts_the_former_data_back(source: Path, make: Make) -> None:
    out = make(source).out
    before = contents(out.parent)
    out.rename(out.with_name(".tiny_coco.former"))
    assert make(source, "--counts", "99", "0", "0").code == 2
    assert contents(out.parent) == before


def test_after_a_kill_behind_the_two_renames_the_next_run_clears_the_former_data(source: Path, make: Make) -> None:
    out = make(source, "--seed", "1").out
    out.rename(out.with_name(".tiny_coco.former"))
    made = make(source, out=out.with_name("new"))
    made.out.rename(out)
    assert make(source).code == 0
    assert entries_beside(out) == ["tiny_coco"]


# The command


def test_the_command_runs_on_its_own_and_knows_nothing_of_the_package(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(TOOL), "--source", str(source), "--out", "made", *SMALL, "--json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["out"] == "made"
    assert "cv_yolo" not in TOOL.read_text(encoding="utf-8")


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tool.main(["--help"])
    assert ended.value.code == 0
    assert "examples:\n  python tools/make_tiny_person_from_coco128.py" in capsys.readouterr().out


# The real thing


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (COCO128 / "images").is_dir():
        pytest.skip("COCO128 is not here: unpack coco128.zip and set CV_YOLO_COCO128 to its folder")
    return COCO128


def test_coco128_gives_forty_ten_and_ten_person_images(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tiny_coco"
    assert tool.main(["--source", str(real), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["images_found"] == 128
    assert summary["images_with_persons"] == 61
    assert (summary["images_without_label"], summary["labels_without_image"]) == (2, 2)
    assert (summary["images_given_twice"], summary["boxes_dropped"]) == (0, 0)
    assert summary["images_written"] == {"train": 40, "val": 10, "test": 10}
    assert picture_kinds(out) == {("JPEG", "RGB", (320, 320))}


def test_coco128_has_254_persons_and_loses_none_of_them(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--source", str(real), "--out", str(tmp_path / "all"), "--json", "--counts", "61", "0", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["boxes_written"]["train"] == 254


def test_coco128_has_no_sixty_second_person_image(real: Path, make: Make) -> None:
    assert_refused(make(real, "--counts", "42", "10", "10"), "61 found, 62 needed")
