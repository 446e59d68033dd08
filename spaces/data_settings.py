"""What a space makes of a dataset before any trial: how much of it is used, and changed copies of its clips."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AugmentationSettings(BaseModel):
    """Changed copies of training clips, encoded once in preparation. How often one is taken is `draw.augmented`.

    Each pair is the lowest and highest value; a copy draws its own between them. A range of one value changes nothing
    where that value is neutral (speed 1, 0 semitones, 0 dB).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(default=2, ge=1, le=8, description="changed copies of each training clip")
    speed: tuple[float, float] = Field(default=(0.9, 1.1), description="tempo factor, the pitch kept")
    semitones: tuple[float, float] = Field(
        default=(0.0, 0.0), description="pitch, the tempo kept; it changes the voice"
    )
    gain_db: tuple[float, float] = Field(default=(-3.0, 3.0), description="loudness; less where it would clip")
    snr_db: tuple[float, float] | None = Field(default=None, description="white noise so far below the speech, dB")

    @field_validator("speed", "semitones", "gain_db", "snr_db")
    @classmethod
    def _ordered(cls, pair: tuple[float, float] | None, info) -> tuple[float, float] | None:
        if pair is None:
            return None
        low, high = {"speed": (0.5, 2.0), "semitones": (-12, 12), "gain_db": (-30, 30), "snr_db": (0, 80)}[
            info.field_name
        ]
        if not low <= pair[0] <= pair[1] <= high:
            raise ValueError(f"expected low ≤ high, both within {low} to {high}, got {list(pair)}")
        return pair


class DataSettings(BaseModel):
    """The `[data]` section of a space."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_training_clips: int | None = Field(default=None, ge=1, description="train on so many clips at most")
    max_validation_clips: int = Field(default=40, ge=0, description="hold out so many clips at most")
    augment: AugmentationSettings | None = None
