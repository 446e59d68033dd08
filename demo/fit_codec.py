"""Fits the codec to recordings in closed form: principal components, residual k-means, ridge regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainable.qwen3_tts.mel_codec import MelCodecConfig, MelCodecModel, mel_context, nearest

KMEANS_ITERATIONS = 12
MAX_PATCHES = 60_000
MAX_PCA_PATCHES = 20_000
MAX_RIDGE_WAVES = 200
RIDGE = 1.0


def fit_codec(config: MelCodecConfig, waves: Sequence[np.ndarray], seed: int) -> MelCodecModel:
    """waves: recordings [samples] float32, 24 kHz, of many voices. Returns the codec in float32."""
    generator = torch.Generator().manual_seed(seed)
    codec = MelCodecModel(config)
    mels = [codec.log_mel(torch.from_numpy(wave)) for wave in waves]
    patches = torch.cat([mel.reshape(-1, len(codec.mean)) for mel in mels])
    patches = patches[torch.randperm(len(patches), generator=generator)[:MAX_PATCHES]]
    codec.mean.data = patches.mean(0)
    _, _, components = torch.linalg.svd(patches[:MAX_PCA_PATCHES] - codec.mean, full_matrices=False)
    codec.basis.data = components[: config.projection_dim].T.contiguous()
    codec.codebooks.data = residual_kmeans((patches - codec.mean) @ codec.basis, config, generator)
    codec.magnitude.data = fit_magnitude(codec, waves[:MAX_RIDGE_WAVES], mels[:MAX_RIDGE_WAVES])
    return codec


def residual_kmeans(points: Tensor, config: MelCodecConfig, generator: torch.Generator) -> Tensor:
    """points: [n, dim] → codebooks [16, K, dim], each stage fitted to the residual of the stages before it."""
    codebooks = []
    for stage in range(config.num_quantizers):
        codebook = kmeans(points, config.codebook_size, generator)
        if stage:
            # "Add nothing" must be a choice, or a later stage can only make a well-described patch worse.
            codebook[0] = 0
        points = points - codebook[nearest(points, codebook)]
        codebooks.append(codebook)
    return torch.stack(codebooks)


def kmeans(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """points: [n, dim] → centres [clusters, dim]. An empty cluster restarts at a random point."""
    centres = points[torch.randperm(len(points), generator=generator)[:clusters]].clone()
    for _ in range(KMEANS_ITERATIONS):
        member = torch.cat([nearest(chunk, centres) for chunk in points.split(8192)])
        sizes = torch.bincount(member, minlength=clusters)
        centres = torch.zeros_like(centres).index_add_(0, member, points) / sizes.clamp(min=1)[:, None]
        empty = sizes == 0
        restarts = torch.randint(len(points), (int(empty.sum()),), generator=generator)
        centres[empty] = points[restarts]
    return centres


def fit_magnitude(codec: MelCodecModel, waves: Sequence[np.ndarray], mels: Sequence[Tensor]) -> Tensor:
    """Ridge regression from three neighbouring log-mel frames to a log magnitude frame → [3 * n_mels + 1, bins]."""
    inputs = torch.cat([mel_context(mel) for mel in mels])
    targets = torch.cat([codec.spectrum(torch.from_numpy(wave)).clamp(min=1e-4).log() for wave in waves])
    gram = inputs.T @ inputs + RIDGE * torch.eye(inputs.shape[1])
    return torch.linalg.solve(gram, inputs.T @ targets)
