"""Uploads an export to the Hugging Face hub, after checking what the hub would refuse. The library reads the token."""

from dataclasses import dataclass
from pathlib import Path

from results.export.adapter_manifest import MANIFEST, read_manifest
from results.export.folder import file_hashes
from spaces.errors import InputError

CARD = "README.md"


@dataclass(frozen=True)
class HubUpload:
    """The files of an upload."""

    folder: Path
    repo: str
    files: tuple[tuple[str, int], ...]
    """Name and size in bytes."""

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)


def check_repo(repo: str) -> None:
    """Raises InputError for a name that is no repository id."""
    if not _is_repo(repo):
        raise InputError(f"--push {repo!r}: expected NAME/MODEL, of letters, digits, -, _ and .")


def check_base(base_model: str | None) -> None:
    """Raises InputError for a base model that is no hub id, which the front matter of a card needs."""
    if not base_model or "/" not in base_model or not _is_repo(base_model):
        raise InputError(f"expected the hub id of the base model, got {base_model!r}; export with --base NAME/MODEL")


def plan_upload(folder: Path, repo: str) -> HubUpload:
    """Lists the files of the export in `folder`, without the network.

    Raises InputError for a file that is missing or has changed since the export, and for front matter that the hub
    would refuse.
    """
    check_repo(repo)
    recorded, present = read_manifest(folder).files, file_hashes(folder)
    changed = sorted(name for name in {*recorded, *present} if recorded.get(name) != present.get(name))
    if changed:
        raise InputError(f"{folder / changed[0]}: has changed since the export; export the trial again")
    check_front_matter(folder / CARD)
    names = (*sorted(present), MANIFEST)
    return HubUpload(folder, repo, tuple((name, (folder / name).stat().st_size) for name in names))


def check_front_matter(card: Path) -> None:
    """Raises InputError for a card without readable front matter, base model or licence."""
    from huggingface_hub import ModelCard

    try:
        data = ModelCard.load(card).data
    except Exception as error:
        # The YAML reader raises many kinds of errors, which all mean the same here.
        raise InputError(f"{card}: its front matter cannot be read ({type(error).__name__}); export again") from None
    check_base(getattr(data, "base_model", None))
    if not getattr(data, "license", None):
        raise InputError(f"{card}: no license, which the hub needs; export with --licence")


def push(upload: HubUpload) -> str:
    """Uploads the files and returns the address of the repository; a new repository is private.

    Raises InputError without a token or network, or when the hub refuses. Its message never holds the token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    kept = f"the export itself is complete: {upload.folder}"
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
            f"{upload.repo}: the hub cannot be reached ({type(error).__name__}); try again with a network; {kept}"
        ) from None
    return str(url)


def _is_repo(name: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
