import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgmp.scans import fetching, iiif, manifest
from dgmp.scans.listing import list_scans
from dgmp.scans.reading import read_scan
from dgmp.scans.scan import Listing
from tests.dgmp.scans.library import Answer, Library, jpeg, open_library


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE", 0)
    monkeypatch.setattr(fetching, "BACK_OFF", 0.01)
    monkeypatch.setattr(fetching, "TIMEOUT", (0.5, 0.3))
    with open_library() as shelves:
        yield shelves


def canvas_2(label: str, image: str, service: dict[str, Any] | None = None, **more: Any) -> dict:
    resource = {"@id": image, "@type": "dctypes:Image", **more}
    if service:
        resource["service"] = {
            "@context": "http://iiif.io/api/image/2/context.json",
            "profile": "http://iiif.io/api/image/2/level2.json",
            **service,
        }
    return {"@type": "sc:Canvas", "label": label, "images": [{"resource": resource}]}


def manifest_2(*canvases: dict, label: Any = "Clm 1") -> dict:
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@type": "sc:Manifest",
        "label": label,
        "sequences": [{"canvases": list(canvases)}],
    }


def canvas_3(label: Any, image: str, service: dict[str, Any] | None = None, **more: Any) -> dict:
    body = {"id": image, "type": "Image", **more}
    if service:
        body["service"] = [{"type": "ImageService3", "profile": "level2", **service}]
    return {
        "type": "Canvas",
        "label": label,
        "items": [{"type": "AnnotationPage", "items": [{"type": "Annotation", "body": body}]}],
    }


def manifest_3(*canvases: dict, label: Any = None) -> dict:
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "type": "Manifest",
        "label": label or {"de": ["Handschrift"], "en": ["Codex <b>"]},
        "items": list(canvases),
    }


def listed(address: str, tmp_path: Path, width: int = 100) -> Listing:
    return list_scans(address, tmp_path / "downloads", width=width)


def refusals(listing: Listing) -> dict[str, str]:
    return {refused.name: refused.reason for refused in listing.refused}


def paths(library: Library) -> list[str]:
    return [path for path in library.asked if path != "/m.json"]


def test_version_2(library, tmp_path):
    for name in ("a", "b"):
        library.add_image(f"/{name}/full/100,/0/default.jpg", 100, tone=ord(name))
    address = library.add_json(
        "/m.json",
        manifest_2(
            canvas_2("1r", "x", {"@id": f"{library.root}/a/"}, width=4000),
            canvas_2("1v", "x", {"@id": f"{library.root}/b"}, width=4000),
        ),
    )
    first, second = listed(address, tmp_path).scans
    assert (first.name, first.codex, first.note, first.order) == ("Clm 1/1r", "Clm 1", "1r", 0)
    assert (second.name, second.codex, second.note, second.order) == ("Clm 1/1v", "Clm 1", "1v", 1)
    assert [int(read_scan(scan)[0, 0]) for scan in (first, second)] == [ord("a"), ord("b")]
    assert library.agents == {fetching.USER_AGENT}
    assert library.most_at_once == 1


def test_version_3(library, tmp_path):
    library.add_image("/a/full/100,/0/default.jpg", 100)
    library.add_image("/b/full/max/0/default.jpg", 60)
    library.add_image("/c.jpg", 70)
    address = library.add_json(
        "/m.json",
        manifest_3(
            canvas_3({"none": ["1r"]}, "x", {"id": f"{library.root}/a"}, width=4000),
            canvas_3({"la": ["f. 1", "verso"]}, "x", {"id": f"{library.root}/b"}, width=60),
            canvas_3({"none": ["1r"]}, f"{library.root}/c.jpg", width=70),
        ),
    )
    listing = listed(address, tmp_path)
    assert listing.refused == []
    assert [scan.name for scan in listing.scans] == [
        "Codex <b>/1r",
        "Codex <b>/f. 1; verso",
        "Codex <b>/1r (2)",
    ]
    assert {scan.codex for scan in listing.scans} == {"Codex <b>"}
    assert [read_scan(scan).shape[1] for scan in listing.scans] == [100, 60, 70]


def test_a_service_is_asked_where_the_manifest_does_not_tell_the_width(library, tmp_path):
    library.add_json("/a/info.json", {"@id": "x", "width": 60, "height": 80})
    library.add_image("/a/full/full/0/default.jpg", 60)
    service = {"@id": f"{library.root}/a"}
    address = library.add_json("/m.json", manifest_2(canvas_2("1r", "x", service)))
    (scan,) = listed(address, tmp_path).scans
    assert read_scan(scan).shape == (60, 60)
    assert paths(library) == ["/a/info.json", "/a/full/full/0/default.jpg"]


def test_a_service_is_asked_for_its_sizes_when_it_refuses(library, tmp_path):
    library.add("/a/full/100,/0/default.jpg", Answer(status=400))
    info = {"id": f"{library.root}/a", "width": 4000, "height": 4000, "maxWidth": 50}
    library.add_json("/a/info.json", info)
    library.add_image("/a/full/50,/0/default.jpg", 50)
    canvas = canvas_3({"none": ["1r"]}, "x", {"id": f"{library.root}/a"}, width=4000)
    address = library.add_json("/m.json", manifest_3(canvas))
    (scan,) = listed(address, tmp_path).scans
    assert read_scan(scan).shape == (50, 50)


def test_what_is_there_is_not_fetched_again(library, tmp_path):
    canvases = [canvas_2(n, f"{library.root}/{n}.jpg") for n in "abc"]
    address = library.add_json("/m.json", manifest_2(*canvases))
    library.add_image("/a.jpg")
    library.add("/b.jpg", Answer(jpeg(400), cut=True), Answer(status=500))
    library.add_image("/c.jpg")
    listing = listed(address, tmp_path)
    assert [scan.note for scan in listing.scans] == ["a", "c"]
    assert refusals(listing) == {
        "Clm 1/b": "127.0.0.1 is busy (500 Internal Server Error): run again later"
    }
    library.asked.clear()
    library.add_image("/b.jpg", tone=77)
    listing = listed(address, tmp_path)
    assert [(scan.note, scan.order) for scan in listing.scans] == [("a", 0), ("b", 1), ("c", 2)]
    assert library.asked == ["/b.jpg"]
    assert read_scan(listing.scans[1])[0, 0] == 77
    library.asked.clear()
    assert len(listed(address, tmp_path).scans) == 3
    assert library.asked == []
    (folder,) = (tmp_path / "downloads").iterdir()
    assert len(list(folder.iterdir())) == 4


def test_another_width_is_another_image(library, tmp_path):
    canvas = canvas_2("a", "x", {"@id": f"{library.root}/a"}, width=4000)
    address = library.add_json("/m.json", manifest_2(canvas))
    for width in (100, 200):
        library.add_image(f"/a/full/{width},/0/default.jpg", width)
        (scan,) = listed(address, tmp_path, width).scans
        assert read_scan(scan).shape == (width, width)


def test_a_transfer_that_breaks_off_is_tried_again(library, tmp_path):
    address = library.add_json("/m.json", manifest_2(canvas_2("a", f"{library.root}/a.jpg")))
    library.add("/a.jpg", Answer(jpeg(400), cut=True), Answer(jpeg(400, 7)))
    (scan,) = listed(address, tmp_path).scans
    assert read_scan(scan)[0, 0] == 7
    assert paths(library) == ["/a.jpg"] * 2


def test_a_busy_server_is_given_the_time_it_asks_for(library, tmp_path):
    address = library.add_json("/m.json", manifest_2(canvas_2("a", f"{library.root}/a.jpg")))
    busy = Answer(status=429, headers={"Retry-After": "1"})
    library.add("/a.jpg", busy, Answer(jpeg()))
    assert len(listed(address, tmp_path).scans) == 1
    assert library.times[-1] - library.times[-2] >= 1


def test_requests_are_apart(library, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE", 0.05)
    canvases = [canvas_2(n, library.add_image(f"/{n}.jpg")) for n in "abcd"]
    listed(library.add_json("/m.json", manifest_2(*canvases)), tmp_path)
    assert np.diff(library.times).min() >= 0.05


def test_a_killed_run_leaves_no_half_images(library, tmp_path):
    canvases = [canvas_2(n, library.add_image(f"/{n}.jpg")) for n in "ab"]
    library.add("/b.jpg", Answer(jpeg(), wait=30))
    address = library.add_json("/m.json", manifest_2(*canvases))
    code = f"""
from pathlib import Path
from dgmp.scans.listing import list_scans
list_scans({address!r}, Path({str(tmp_path / "downloads")!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": "."})
    while "/b.jpg" not in library.asked:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    library.asked.clear()
    library.add_image("/b.jpg")
    # The same width as in the process that was killed.
    assert len(list_scans(address, tmp_path / "downloads").scans) == 2
    assert library.asked == ["/b.jpg"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=404), "127.0.0.1 does not give it (404 Not Found)"),
        (Answer(status=403), "127.0.0.1 does not give it (403 Forbidden)"),
        (Answer(b"<!DOCTYPE html><html>"), "a web page in place of an image: copy or download it"),
        (Answer(b""), "the file is empty"),
        (Answer(b'{"@type": "sc:Manifest"}'), "no image that can be read"),
        (Answer(jpeg(400)[:500]), "the file is cut off"),
        (Answer(jpeg(400), cut=True), "127.0.0.1 breaks off: run again later"),
        (Answer(jpeg(), wait=0.6), "127.0.0.1 does not answer: run again later"),
        (Answer(status=503), "127.0.0.1 is busy (503 Service Unavailable): run again later"),
        (Answer(status=302, headers={"Location": "/a.jpg"}), "127.0.0.1 redirects without end"),
        (
            Answer(status=302, headers={"Location": "file:///etc/passwd"}),
            "is no address of the web",
        ),
    ],
)
def test_pages_that_cannot_be_had_are_refused(library, tmp_path, answer, reason):
    library.add("/a.jpg", answer)
    library.add_image("/b.jpg")
    canvases = [canvas_2(n, f"{library.root}/{n}.jpg") for n in "ab"]
    listing = listed(library.add_json("/m.json", manifest_2(*canvases)), tmp_path)
    assert [scan.name for scan in listing.scans] == ["Clm 1/b"]
    (refused,) = listing.refused
    assert refused.name == "Clm 1/a"
    assert reason in refused.reason
    assert len(library.asked) < 20


def test_a_server_that_went_away_is_not_asked_for_every_page(library, tmp_path):
    library.add("/a.jpg", Answer(status=503))
    canvases = [canvas_2(f"{n}", f"{library.root}/a.jpg?{n}") for n in range(50)]
    for n in range(50):
        library.add(f"/a.jpg?{n}", Answer(status=503))
    listing = listed(library.add_json("/m.json", manifest_2(*canvases)), tmp_path)
    assert len(paths(library)) == iiif.MOST_SILENT * fetching.ATTEMPTS
    assert len(listing.refused) == iiif.MOST_SILENT + 1
    assert listing.refused[-1].name == "47 pages of Clm 1"
    assert (
        listing.refused[-1].reason
        == "not asked for, because the server fell silent: run again later"
    )


def test_transfers_without_end_are_given_up(library, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "LARGEST", 1000)
    library.add("/a.jpg", Answer(jpeg() + bytes(5000)))
    address = library.add_json("/m.json", manifest_2(canvas_2("a", f"{library.root}/a.jpg")))
    # The manifest is small.
    assert "sends more than 1,000 bytes" in refusals(listed(address, tmp_path))["Clm 1/a"]


@pytest.mark.parametrize("image", ["file:///etc/passwd", "x", "", "http://[", "/etc/passwd"])
def test_addresses_that_are_none(library, tmp_path, image):
    listing = listed(library.add_json("/m.json", manifest_2(canvas_2("a", image))), tmp_path)
    (reason,) = refusals(listing).values()
    assert reason in (f"{image} is no address of the web", "a canvas without an image")


def test_a_manifest_that_names_itself_as_its_image(library, tmp_path):
    address = f"{library.root}/m.json"
    library.add_json("/m.json", manifest_2(canvas_2("a", address)))
    assert "no image that can be read" in refusals(listed(address, tmp_path))["Clm 1/a"]


COLLECTION_2 = {
    "@type": "sc:Collection",
    "manifests": [{"@id": "http://a/1", "@type": "sc:Manifest"}] * 12,
    "collections": [{"@type": "sc:Collection"}] * 2,
}
COLLECTION_3 = {"type": "Collection", "items": [{"id": "http://a/1", "type": "Manifest"}] * 3}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=404), r"the manifest http.* cannot be fetched: .*\(404 Not Found\)"),
        (Answer(b"{}", wait=0.6), "cannot be fetched: 127.0.0.1 does not answer: run again later"),
        (Answer(status=301, headers={"Location": "/m.json"}), "redirects without end"),
        (
            Answer(b"<!doctype html><html></html>"),
            "is a web page, wanted: a IIIF manifest; look on",
        ),
        (Answer(b"hello"), "is no JSON, wanted: a IIIF manifest"),
        (Answer(b"[" * 100_000), "is no JSON, wanted: a IIIF manifest"),
        (Answer(b"[1]"), "is JSON of type None, wanted: a IIIF manifest"),
        (Answer(b'{"type": "Canvas"}'), "is JSON of type Canvas, wanted: a IIIF manifest"),
        (
            Answer(b'{"type": "AnnotationCollection"}'),
            "is JSON of type AnnotationCollection, wanted",
        ),
        (Answer(b'{"type": "Manifest", "items": []}'), "is a manifest without canvases"),
        (Answer(b'{"@type": "sc:Manifest", "@id": "x"}'), "is a manifest without canvases"),
        (Answer(json.dumps(COLLECTION_2).encode()), "12 manifests and 2 further collections: give"),
        (Answer(json.dumps(COLLECTION_3).encode()), "3 manifests: give one manifest, for example"),
    ],
)
def test_manifests_that_cannot_be_had(library, tmp_path, answer, message):
    with pytest.raises(ValueError, match=message) as error:
        listed(library.add("/m.json", answer), tmp_path)
    assert "\n" not in str(error.value)
    assert f"{library.root}/m.json" in str(error.value)


def test_too_many_canvases(library, tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "MOST", 3)
    address = library.add_json("/m.json", manifest_2(*[canvas_2("a", "x")] * 4))
    with pytest.raises(ValueError, match="has 4 canvases, read are at most 3"):
        listed(address, tmp_path)


def test_no_server_at_all(tmp_path, library):
    with pytest.raises(ValueError, match=r"cannot be fetched: 127\.0\.0\.1 does not answer"):
        listed("http://127.0.0.1:9/m.json", tmp_path)


def test_a_manifest_in_a_folder_is_a_codex_beside_others(library, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "page.jpg").write_bytes(jpeg())
    library.add_image("/a.jpg")
    (folder / "m.json").write_text(json.dumps(manifest_2(canvas_2("a", f"{library.root}/a.jpg"))))
    (folder / "bad.json").write_text(json.dumps({"@type": "sc:Manifest"}))
    (folder / "other.json").write_text("{}")
    listing = listed(str(folder), tmp_path)
    assert [scan.name for scan in listing.scans] == ["Clm 1/a", "page.jpg"]
    assert set(refusals(listing)) == {"bad.json", "1 file"}
    (scan,) = listed(str(folder / "m.json"), tmp_path).scans
    assert scan == listing.scans[0]
    assert paths(library) == ["/a.jpg"]


@pytest.mark.parametrize(
    "broken",
    [
        *(None, 7, "x", [], {}, {"label": 7, "images": "x"}, {"images": [{"resource": ["x"]}]}),
        {"images": [{"resource": {"@id": 7, "service": [7, {"@id": []}]}}]},
    ],
)
def test_broken_canvases_are_refused(library, tmp_path, broken):
    good = canvas_2("b", library.add_image("/b.jpg"))
    for content in (
        manifest_2(broken, good),
        manifest_3(broken, canvas_3("b", f"{library.root}/b.jpg")),
    ):
        address = library.add_json(f"/{content.get('type')}.json", content)
        listing = listed(address, tmp_path)
        assert [scan.note for scan in listing.scans] == ["b"]
        assert [refused.reason for refused in listing.refused] == ["a canvas without an image"]


@pytest.mark.parametrize(
    ("info", "reason"),
    [(b"<html>", "info.json is no JSON object"), (b"{}", "info.json tells no width or no sizes")],
)
def test_services_that_tell_nothing(library, tmp_path, info, reason):
    library.add("/a/info.json", Answer(info))
    canvas = canvas_2("a", "x", {"@id": f"{library.root}/a"})
    listing = listed(library.add_json("/m.json", manifest_2(canvas)), tmp_path)
    assert reason in refusals(listing)["Clm 1/a"]
