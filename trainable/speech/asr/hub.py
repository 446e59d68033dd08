"""Whether the Hugging Face hub answers, asked before its library is, which tries again for half a minute."""

import threading
from collections.abc import Callable

HUB_SECONDS = 4.0
"""How long the hub may take to answer."""


def is_hub_reachable() -> bool:
    """Whether the hub answers at all; False with HF_HUB_OFFLINE."""
    from huggingface_hub import constants

    return _status(lambda: str(constants.ENDPOINT)) is not None


def hub_has(name: str) -> bool:
    """Whether the hub has this checkpoint, and this user may download it; False where the hub cannot be reached."""
    from huggingface_hub import hf_hub_url

    status = _status(lambda: hf_hub_url(name, "config.json"))
    return status is not None and status < 400


def _status(url: Callable[[], str]) -> int | None:
    """The HTTP status of a page of the hub; None without an answer."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if constants.HF_HUB_OFFLINE:
        return None
    answers: list[int] = []

    def ask() -> None:
        try:
            answer = get_session().head(url(), headers=build_hf_headers(), timeout=HUB_SECONDS, allow_redirects=False)
        except Exception:
            return
        answers.append(int(answer.status_code))

    # In a thread, because the look-up of a host name has no time limit of its own.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    return answers[0] if answers else None
