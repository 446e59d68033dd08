"""Puts an export on the hub, after checking what the hub would refuse. A token is the library's own business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from results.export.adapter_manifest import MANIFEST, read_manifest
from results.export.folder import file_hashes
from spaces.errors import InputError

CARD = "README.md"


@dataclass(frozen=True)
class HubUpload:
    """What would go to the hub."""

    folder: Path
    repo: str
    files: tuple[tuple[str, int], ...]
    """Name and bytes of each."""

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)


def check_repo(repo: str) -> None:
    """Raises InputError for what cannot name a repository."""
    if not _is_repo(repo):
        raise InputError(f"--push {repo!r}: expected NAME/MODEL, of letters, digits, -, _ and .")


def check_base(base_model: str | None) -> None:
    """Raises InputError for a base model that the front matter of a card on the hub cannot name."""
    if not base_model or "/" not in base_model or not _is_repo(base_model):
        raise InputError(
            f"the hub asks for the base model by its id, got {base_model!r}; export with --base NAME/MODEL"
        )


def plan_upload(folder: Path, repo: str) -> HubUpload:
    """The export in `folder`, whole and unchanged. Asks no network.

    Raises InputError for a file that is missing or was changed since it was exported, and for front matter that the hub
    would refuse.
    """
    check_repo(repo)
    recorded, present = read_manifest(folder).files, file_hashes(folder)
    odd = sorted(name for name in {*recorded, *present} if recorded.get(name) != present.get(name))
    if odd:
        raise InputError(f"{folder / odd[0]}: not as it was exported; export the trial again")
    check_front_matter(folder / CARD)
    names = (*sorted(present), MANIFEST)
    return HubUpload(folder, repo, tuple((name, (folder / name).stat().st_size) for name in names))


def check_front_matter(card: Path) -> None:
    """Raises InputError for a card without readable front matter, or without a base model that the hub can know."""
    from huggingface_hub import ModelCard

    try:
        data = ModelCard.load(card).data
    except Exception as error:
        # The YAML reader has many kinds of errors, and each means the same here.
        raise InputError(f"{card}: its front matter cannot be read ({type(error).__name__}); export again") from None
    check_base(getattr(data, "base_model", None))
    if not getattr(data, "license", None):
        raise InputError(f"{card}: the hub asks for a license; export with --licence")


def push(upload: HubUpload) -> str:
    """Creates the repository, private where it is new, and uploads. Returns its address.

    Raises InputError, which never tells a token, without a token or network, or when the hub refuses.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    kept = f"the export itself is whole: {upload.folder}"
    if get_token() is None:
        raise InputError(f"no token for the hub: log in with `hf auth login`, or set HF_TOKEN; {kept}")
    api = HfApi()
    try:
        url = api.create_repo(upload.repo, repo_type="model", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=upload.repo,
            folder_path=upload.folder,
            commit_message="Upload a voice found by Sweetspot",
            allow_patterns=[name for name, _ in upload.files],
        )
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        raise InputError(
            f"{upload.repo}: the hub refused ({type(error).__name__}, status {status}); check that the token may write "
            f"there; {kept}"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{upload.repo}: the hub cannot be reached ({type(error).__name__}); try again with the network up; {kept}"
        ) from None
    return str(url)


def _is_repo(name: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
