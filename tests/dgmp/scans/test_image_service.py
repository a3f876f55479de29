import pytest

from dgmp.scans.image_service import image_address, service_address
from dgmp.scans.manifest import Canvas

V2 = {"@id": "s", "@context": "http://iiif.io/api/image/2/context.json"}
V3 = {"id": "s", "type": "ImageService3"}
LEVEL0 = "http://iiif.io/api/image/2/level0.json"
SIZES = [{"width": w, "height": 2 * w} for w in (400, 100, 200)]


@pytest.mark.parametrize(
    ("service", "native", "size"),
    [
        (V2, 4000, "200,"),
        (V3, 4000, "200,"),
        (V2, 200, "full"),
        (V3, 200, "max"),
        (V2, 150, "full"),
        (V3 | {"width": 150}, 4000, "max"),
        (V3 | {"maxWidth": 120}, 4000, "120,"),
        (V3 | {"maxWidth": 120}, 150, "120,"),
        (V3 | {"maxWidth": 300}, 4000, "200,"),
        (V3 | {"maxHeight": 100, "height": 8000}, 4000, "50,"),
        (V3 | {"maxWidth": 190, "height": 8000}, 4000, "95,"),
        (V3 | {"maxArea": 20_000, "height": 8000}, 4000, "100,"),
        (V2 | {"profile": ["level2.json", {"maxWidth": 120}]}, 4000, "120,"),
        (V2 | {"profile": LEVEL0, "sizes": SIZES}, 400, "200,400"),
        (V2 | {"profile": [LEVEL0], "sizes": SIZES[1:]}, 400, "200,400"),
        (V3 | {"profile": "level0", "sizes": SIZES[1:2]}, 400, "100,200"),
        (V3 | {"profile": "level0"}, 400, None),
        (V3 | {"profile": "level0", "sizes": [7, {"width": "x"}]}, 400, None),
        (V2, None, None),
        (V2 | {"width": "wide"}, None, None),
    ],
)
def test_sizes(service, native, size):
    expected = size and f"s/full/{size}/0/default.jpg"
    assert service_address(service, 200, native) == expected


def test_without_a_service_the_image_itself():
    assert image_address(Canvas("a", "http://a/b.jpg"), 200) == "http://a/b.jpg"
