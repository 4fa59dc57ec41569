"""What each model counts in the blend."""

from types import SimpleNamespace

from crossfade.models.blend_fitted import FittedBlend
from crossfade.surfaces.fitted import ModelOf, Share, models_of


def test_models_say_what_they_count_in_the_blend_of_each_kind():
    """Of a model that was left out of the blend of one kind, and of one whose weight was not learned."""
    learned = {"track": {"als": {"weight": 0.7, "adds": 0.02, "error": 0.001}, "ease": {"weight": 0}}, "artist": {}}
    fitted = {("als", "artist"), ("als", "track"), ("ease", "track"), ("blend", "track"), ("blend", "artist")}

    def model(name, kind):
        blend = object.__new__(FittedBlend)
        object.__setattr__(blend, "weights", SimpleNamespace(report=learned[kind]))
        return blend

    opened = SimpleNamespace(
        models=["blend", "als", "ease"],
        has_model=lambda name, kind: (name, kind) in fitted,
        blends=lambda name: name == "blend",
        model=model,
    )
    assert models_of(opened) == [
        ModelOf(name="blend", kinds=["artist", "track"], blends=True, shares=[]),
        ModelOf(
            name="als",
            kinds=["artist", "track"],
            blends=False,
            shares=[Share(kind="track", weight=0.7, adds=0.02, error=0.001)],
        ),
        ModelOf(name="ease", kinds=["track"], blends=False, shares=[Share(kind="track", weight=0.0)]),
    ]
