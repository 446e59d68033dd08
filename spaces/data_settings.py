"""The `[data]` section of a space: how many clips are used, and augmented copies of them."""

from pydantic import Field, ValidationInfo, field_validator

from spaces.frozen_model import FrozenModel

_LIMITS = {"speed": (0.5, 2.0), "semitones": (-12, 12), "gain_db": (-30, 30), "snr_db": (0, 80)}


class AugmentationSettings(FrozenModel):
    """Augmented copies of training clips, encoded once during preparation. `draw.augmented` says how often a copy
    replaces its clip.

    Each pair is [lowest, highest]; every copy draws its own value in between. Speed 1, 0 semitones and 0 dB change
    nothing.
    """

    copies: int = Field(default=2, ge=1, le=8, description="augmented copies of each training clip")
    speed: tuple[float, float] = Field(default=(0.9, 1.1), description="tempo factor; the pitch stays")
    semitones: tuple[float, float] = Field(
        default=(0.0, 0.0), description="pitch shift; the tempo stays. It changes the voice"
    )
    gain_db: tuple[float, float] = Field(default=(-3.0, 3.0), description="gain, reduced where the copy would clip")
    snr_db: tuple[float, float] | None = Field(default=None, description="SNR of added white noise, dB")

    @field_validator("speed", "semitones", "gain_db", "snr_db")
    @classmethod
    def _ordered(cls, pair: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
        if pair is None:
            return None
        low, high = _LIMITS[info.field_name or ""]
        if not low <= pair[0] <= pair[1] <= high:
            raise ValueError(f"expected low ≤ high, both within {low} to {high}, got {list(pair)}")
        return pair


class DataSettings(FrozenModel):
    """The `[data]` section of a space."""

    max_training_clips: int | None = Field(default=None, ge=1, description="train on at most this many clips")
    max_validation_clips: int = Field(default=40, ge=0, description="hold out at most this many clips")
    augment: AugmentationSettings | None = None
