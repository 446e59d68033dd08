"""Teacher-forced logits of an utterance, to compare two models without sampling."""

import numpy as np
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

from trainable.qwen3_tts.data.prepared import ROLE_TOKENS, TAIL_TOKENS, PreparedClip, prompt_ids
from trainable.qwen3_tts.model.precision import mixed_precision
from trainable.qwen3_tts.model.prompt import build_layout, embed


def teacher_forced_logits(
    tts: Qwen3TTSModel, speaker: Tensor, language: str, text: str, codes: np.ndarray
) -> np.ndarray:
    """Logits of codebook 0 at each frame, given the frames before it, and after the last: [frames + 1, vocabulary]
    float32.

    speaker: [hidden]; codes: [frames, 16] int64, at least one frame.
    """
    ids = prompt_ids(tts.processor, text)
    clip = PreparedClip(text, 0.0, ids[ROLE_TOKENS:-TAIL_TOKENS], torch.from_numpy(np.asarray(codes, dtype=np.int64)))
    layout = build_layout(tts.model.config, [clip], ids[:ROLE_TOKENS], language).to(tts.model.device)
    talker = tts.model.talker
    with torch.inference_mode(), mixed_precision(tts.model):
        embeddings = embed(talker, layout, speaker.to(tts.model.device))
        hidden = talker.model(inputs_embeds=embeddings, use_cache=False).last_hidden_state[0]
        predicting = torch.cat([layout.frame_position - 1, layout.end_position])
        return talker.codec_head(hidden[predicting]).float().cpu().numpy()
