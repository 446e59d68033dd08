"""Checks and opens checkpoints that transcribe: a Whisper of transformers or CTranslate2, or one with a CTC head."""

from spaces.errors import InputError
from trainable.speech.asr.ctc import check_ctc, is_ctc, open_ctc
from trainable.speech.asr.ctranslate2 import can_use_gpu, check_faster_whisper, is_faster_whisper, open_faster_whisper
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.transcription import SpeechModel
from trainable.speech.asr.whisper import check_whisper_language, is_whisper, open_whisper


def check_checkpoint(name: str, language: str | None) -> None:
    """Reads the checkpoint's config files, no weights.

    Raises InputError for a checkpoint that is neither a Whisper nor has a CTC head, cannot be found, does not know the
    language, or needs a package that is missing.
    """
    config = read_config(name)
    if is_whisper(config):
        check_whisper_language(name, language)
    elif is_faster_whisper(config):
        check_faster_whisper(name, language)
    elif is_ctc(config):
        check_ctc(name, language)
    else:
        raise InputError(
            f"{name}: expected a Whisper or a checkpoint with a CTC head, got model_type {config.get('model_type')} "
            f"with architectures {config.get('architectures')}; use one such as openai/whisper-large-v3"
        )


def open_model(name: str, language: str | None) -> SpeechModel:
    """Loads the checkpoint, onto a GPU if there is one. `name` is a folder or a hub id, `language` a code or None.

    Raises InputError as `check_checkpoint`, and for weights that cannot be found or read.
    """
    check_checkpoint(name, language)
    config = read_config(name)
    if is_whisper(config):
        return open_whisper(name, language)
    return (open_faster_whisper if is_faster_whisper(config) else open_ctc)(name, language)


def runs_on_gpu(name: str) -> bool:
    """Whether `open_model` would load this checkpoint onto a GPU."""
    if is_faster_whisper(read_config(name)):
        return can_use_gpu()
    import torch

    return torch.cuda.is_available()
