"""Reads a manifest of recordings to judge: JSON lines of `audio`, `text` and optional `language` and `reference`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from spaces.errors import InputError
from trainable.dataset.formatting import excerpt, printable
from trainable.dataset.user_files import lines_of, path_inside
from trainable.probe.recordings.audio_file import check_recording
from trainable.probe.recordings.judge_recording import RecordingToJudge, check_text

MAX_LISTED = 10
"""Wrong lines that a message lists."""


class ManifestLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    audio: str
    text: str
    language: str | None = None
    reference: str | None = None


def read_manifest(path: Path, language: str, reference: Path | None) -> list[RecordingToJudge]:
    """Every line of the file, whose audio lies beside or below it. `language` and `reference` are defaults.

    Raises InputError that lists the wrong lines, before any recording is judged.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(f"--manifest {printable(path)}: cannot be read ({why})") from None
    folder = path.absolute().parent
    requests, wrong = [], []
    for number, line in enumerate(lines_of(content), start=1):
        if not line.strip():
            continue
        where = f"{printable(path)}:{number}"
        try:
            requests.append(_request(line, where, folder, language, reference))
        except InputError as error:
            wrong.append(str(error))
    if wrong:
        more = [f"and {len(wrong) - MAX_LISTED} more"] if len(wrong) > MAX_LISTED else []
        raise InputError("\n".join([*wrong[:MAX_LISTED], *more]))
    if not requests:
        raise InputError(f'--manifest {printable(path)}: expected lines of {{"audio": …, "text": …}}, got none')
    return requests


def _request(line: str, where: str, folder: Path, language: str, reference: Path | None) -> RecordingToJudge:
    try:
        row = ManifestLine.model_validate_json(line)
    except ValidationError:
        raise InputError(
            f'{where}: expected {{"audio": …, "text": …, "language": optional, "reference": optional}}, all text, got '
            f"{excerpt(line.strip())}"
        ) from None
    check_text(row.text, where)
    return RecordingToJudge(
        audio=_recording(row.audio, where, folder),
        name=printable(row.audio),
        text=row.text,
        language=row.language or language,
        reference=reference if row.reference is None else _recording(row.reference, where, folder),
    )


def _recording(name: str, where: str, folder: Path) -> Path:
    try:
        audio = path_inside(folder, folder, name)
    except ValueError:
        raise InputError(f"{where}: {excerpt(name) or 'nothing'} is no file name") from None
    if audio is None:
        raise InputError(f"{where}: {excerpt(name)} lies outside the manifest's folder; copy it in")
    try:
        check_recording(audio)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return audio
