from __future__ import annotations

from collections.abc import Callable

import pytest

from iiif_server.image import capabilities
from iiif_server.image.capabilities import probe
from iiif_server.render import pipeline
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.grammar import ApiVersion, OutputFormat, Quality
from iiif_server.request.info import HTTP_FEATURES, LEVEL_2_FEATURES
from repository.errors import DependencyMissing, PyramidCorrupt

pytestmark = pytest.mark.slow

Rendered = Callable[..., bytes]
real: Rendered = pipeline.render


def broken(monkeypatch: pytest.MonkeyPatch, is_broken: Callable[[RenderPlan], bool], instead: Rendered) -> None:
    """Some pictures are made otherwise."""

    def made(task: RenderPlan, *others: object) -> bytes:
        return instead(task, *others) if is_broken(task) else real(task, *others)

    monkeypatch.setattr(pipeline, "render", made)


def failing(*_: object) -> bytes:
    raise PyramidCorrupt(key="", reason="no such encoder")


def mirrored_as_it_is(task: RenderPlan, *others: object) -> bytes:
    return real(task._replace(rotation=task.rotation._replace(mirrored=False)), *others)


def test_every_format_quality_and_feature_passes_its_probe() -> None:
    found = probe()
    assert found.formats == tuple(OutputFormat)
    assert found.qualities == tuple(Quality)
    for version, enlarging in [(ApiVersion.THREE, "sizeUpscaling"), (ApiVersion.TWO, "sizeAboveFull")]:
        beyond = {*HTTP_FEATURES, "mirroring", "rotationArbitrary", "regionSquare", enlarging}
        assert set(found.features[version]) == LEVEL_2_FEATURES[version] | beyond


@pytest.mark.parametrize("instead", [failing, lambda *_: b"", lambda *_: b"RIFF\0\0\0\0WEBPVP8 "])
def test_a_format_that_fails_its_probe_is_not_offered(monkeypatch: pytest.MonkeyPatch, instead: Rendered) -> None:
    broken(monkeypatch, lambda task: task.format is OutputFormat.WEBP, instead)
    assert probe().formats == tuple(wanted for wanted in OutputFormat if wanted is not OutputFormat.WEBP)


def test_a_response_in_another_format_fails_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(
        monkeypatch,
        lambda task: task.format is OutputFormat.AVIF,
        lambda task, *o: real(task._replace(format=OutputFormat.PNG), *o),
    )
    assert OutputFormat.AVIF not in probe().formats


def test_a_feature_without_effect_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, lambda task: task.rotation.mirrored, mirrored_as_it_is)
    found = probe()
    assert all("mirroring" not in features for features in found.features.values())
    assert all("rotationBy90s" in features for features in found.features.values())


@pytest.mark.parametrize(
    ("is_broken", "named"),
    [
        (lambda task: task.format is OutputFormat.JPG, "jpg"),
        (lambda task: task.quality is Quality.BITONAL, "bitonal"),
        (lambda task: task.rotation.degrees == 90, "rotationBy90s"),
    ],
)
def test_a_service_below_level_2_does_not_start(
    monkeypatch: pytest.MonkeyPatch, is_broken: Callable[[RenderPlan], bool], named: str
) -> None:
    broken(monkeypatch, is_broken, failing)
    with pytest.raises(DependencyMissing) as refusal:
        capabilities.probe()
    assert named in str(refusal.value)
