"""The layouts in which a family exports what was trained."""

from __future__ import annotations

from enum import StrEnum


class ExportLayout(StrEnum):
    """The files of an export, named by what loads them. A family has a subclass with its layouts, the default first."""

    about: str
    """What the export is, for its model card; `{base}` stands for the base model."""
    library: str | None
    """The library that loads an adapter, as the hub names it; None for a complete checkpoint, which needs no base."""
    has_reference: bool
    """Whether it includes a recording of the voice, with its transcript."""

    def __new__(cls, value: str, about: str, library: str | None = None, has_reference: bool = False) -> ExportLayout:
        layout = str.__new__(cls, value)
        layout._value_, layout.about, layout.library, layout.has_reference = value, about, library, has_reference
        return layout

    @property
    def is_whole(self) -> bool:
        return self.library is None
