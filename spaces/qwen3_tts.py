"""What the Qwen3-TTS family adds to a space and to its records."""

LOSSES = {
    "guide": "the public guide's loss: `talker` + 0.3 × `sub_shifted`",
    "aligned": "cross-entropy of codebook 0 and EOS together + 0.3 × `sub`",
    "talker": "codebook 0 without EOS",
    "eos": "the label after the last frame",
    "sub": "codebooks 1–15, each scored on its own head",
    "sub_shifted": "the same logits as qwen-tts scores them: head k on codebook k + 2",
}
"""The parts of a loss in the order of a clip's row, in nats per label."""
