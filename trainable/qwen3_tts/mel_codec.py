"""A small speech codec with the interface that `Qwen3TTSTokenizer` expects of its model.

Log-mel patches of 80 ms are projected on their principal components and quantised by 16 stages of residual k-means. A
ridge regression turns the mel spectrum back into a magnitude spectrum, and Griffin-Lim adds a phase. The result is
deterministic: the same codes give the same waveform, alone or in a batch.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

GRIFFIN_LIM_MOMENTUM = 0.99
PEAK = 0.95
"""An estimated phase can push samples past full scale. The whole wave is then scaled down to this peak."""


class MelCodecConfig(PretrainedConfig):
    """Shapes of a `MelCodecModel`; one code frame is `hop_length * mel_frames_per_code` samples (80 ms)."""

    model_type = "mel_codec"

    def __init__(
        self,
        sampling_rate: int = 24_000,
        n_fft: int = 1024,
        hop_length: int = 240,
        n_mels: int = 80,
        f_min: float = 30.0,
        f_max: float = 11_000.0,
        mel_floor: float = 1e-3,
        mel_frames_per_code: int = 8,
        projection_dim: int = 96,
        num_quantizers: int = 16,
        codebook_size: int = 256,
        griffin_lim_iterations: int = 32,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.sampling_rate = sampling_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.f_min = f_min
        self.f_max = f_max
        self.mel_floor = mel_floor
        self.mel_frames_per_code = mel_frames_per_code
        self.projection_dim = projection_dim
        self.num_quantizers = num_quantizers
        self.codebook_size = codebook_size
        self.griffin_lim_iterations = griffin_lim_iterations

    @property
    def samples_per_code(self) -> int:
        return self.hop_length * self.mel_frames_per_code


@dataclass
class MelCodecEncoderOutput(ModelOutput):
    """audio_codes: one [frames, 16] int64 tensor per waveform, 12.5 frames per second."""

    audio_codes: list[Tensor] | None = None


@dataclass
class MelCodecDecoderOutput(ModelOutput):
    """audio_values: one [frames * 1920] float32 tensor per item, 24 kHz."""

    audio_values: list[Tensor] | None = None


class MelCodecModel(PreTrainedModel):
    """Weights are closed-form fits (see `demo/fit_codec.py`), never gradient-trained."""

    config_class = MelCodecConfig
    # A codebook rounded to bf16 gives other codes, so the codec stays in float32 whatever the talker's dtype.
    _keep_in_fp32_modules_strict = ["mean", "basis", "codebooks", "magnitude"]

    def __init__(self, config: MelCodecConfig):
        super().__init__(config)
        patch = config.n_mels * config.mel_frames_per_code
        bins = config.n_fft // 2 + 1

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape), requires_grad=False)

        self.mean = weight(patch)
        self.basis = weight(patch, config.projection_dim)
        self.codebooks = weight(config.num_quantizers, config.codebook_size, config.projection_dim)
        self.magnitude = weight(3 * config.n_mels + 1, bins)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing to initialise: the weights are loaded or fitted."""

    def get_model_type(self) -> str:
        """The name of the interface that `Qwen3TTSTokenizer` uses for this codec, not the codec's own name."""
        return "qwen3_tts_tokenizer_12hz"

    def get_input_sample_rate(self) -> int:
        return self.config.sampling_rate

    def get_output_sample_rate(self) -> int:
        return self.config.sampling_rate

    def get_encode_downsample_rate(self) -> int:
        return self.config.samples_per_code

    def get_decode_upsample_rate(self) -> int:
        return self.config.samples_per_code

    @torch.no_grad()
    def encode(self, input_values: Tensor, padding_mask: Tensor | None = None, return_dict: bool | None = None):
        """input_values: [batch, samples] 24 kHz in -1..1; padding_mask: [batch, samples], 1 where audio is.

        Each item is encoded alone, so its codes do not depend on its neighbours. Returns ceil(samples / 1920) frames.
        """
        lengths = [input_values.shape[1]] * len(input_values) if padding_mask is None else padding_mask.sum(1).tolist()
        codes = [self.quantise(self.log_mel(wave[: int(n)])) for wave, n in zip(input_values, lengths, strict=True)]
        return MelCodecEncoderOutput(audio_codes=codes) if return_dict is not False else (codes,)

    @torch.no_grad()
    def decode(self, audio_codes: Tensor, return_dict: bool | None = None):
        """audio_codes: [batch, frames, 16] int64, padded with -1 after the end of each item."""
        waves = [self.vocode(self.dequantise(item[item[:, 0] >= 0])) for item in audio_codes]
        return MelCodecDecoderOutput(audio_values=waves) if return_dict is not False else (waves,)

    def spectrum(self, wave: Tensor) -> Tensor:
        """wave: [samples] → magnitudes [mel frames, bins], padded up to a whole code frame."""
        c = self.config
        if wave.ndim != 1 or len(wave) == 0:
            raise ValueError(f"expected a mono waveform [samples] with at least one sample, got {tuple(wave.shape)}")
        wave = F.pad(wave.float(), (0, -len(wave) % c.samples_per_code))
        edge = (c.n_fft - c.hop_length) // 2
        wave = F.pad(wave[None], (edge, edge), mode="reflect")[0]
        window = torch.hann_window(c.n_fft, device=wave.device)
        return torch.stft(wave, c.n_fft, c.hop_length, window=window, center=False, return_complex=True).abs().T

    def log_mel(self, wave: Tensor) -> Tensor:
        """wave: [samples] → [mel frames, n_mels] natural log, 100 frames per second."""
        return torch.log((self.spectrum(wave) @ self._mel_bands()).clamp(min=self.config.mel_floor))

    def quantise(self, log_mel: Tensor) -> Tensor:
        """log_mel: [8 * frames, n_mels] → codes [frames, 16] int64."""
        residual = (log_mel.reshape(-1, len(self.mean)) - self.mean) @ self.basis
        codes = []
        for codebook in self.codebooks:
            codes.append(nearest(residual, codebook))
            residual = residual - codebook[codes[-1]]
        return torch.stack(codes, dim=1)

    def dequantise(self, codes: Tensor) -> Tensor:
        """codes: [frames, 16] int64 → log_mel [8 * frames, n_mels]. Raises ValueError for codes out of range."""
        c = self.config
        if codes.ndim != 2 or codes.shape[1] != c.num_quantizers:
            raise ValueError(f"expected codes [frames, {c.num_quantizers}], got {tuple(codes.shape)}")
        if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < c.codebook_size:
            raise ValueError(f"expected codes 0..{c.codebook_size - 1}, got {int(codes.min())}..{int(codes.max())}")
        stages = torch.arange(c.num_quantizers, device=codes.device)
        return (self.codebooks[stages, codes].sum(1) @ self.basis.T + self.mean).reshape(-1, c.n_mels)

    def vocode(self, log_mel: Tensor) -> Tensor:
        """log_mel: [mel frames, n_mels] → waveform [mel frames * hop_length] float32 by fast Griffin-Lim."""
        c = self.config
        if len(log_mel) == 0:
            return log_mel.new_zeros(0)
        magnitude = torch.exp(mel_context(log_mel) @ self.magnitude).T
        window = torch.hann_window(c.n_fft, device=log_mel.device)
        fixed = torch.Generator().manual_seed(0)
        phase = torch.polar(torch.ones(magnitude.shape), 2 * math.pi * torch.rand(magnitude.shape, generator=fixed))
        phase = phase.to(log_mel.device)
        span = (magnitude.shape[1] - 1) * c.hop_length
        previous = torch.zeros_like(phase)

        def synthesise() -> Tensor:
            return torch.istft(magnitude * phase, c.n_fft, c.hop_length, window=window, length=span)

        for _ in range(c.griffin_lim_iterations):
            rebuilt = torch.stft(
                synthesise(), c.n_fft, c.hop_length, window=window, pad_mode="constant", return_complex=True
            )
            phase = rebuilt - previous * (GRIFFIN_LIM_MOMENTUM / (1 + GRIFFIN_LIM_MOMENTUM))
            phase = phase / (phase.abs() + 1e-9)
            previous = rebuilt
        # Analysis centres mel frame k at (k + 1/2) hops, istft at k hops: half a hop on either side restores both.
        wave = F.pad(synthesise(), (c.hop_length // 2, c.hop_length // 2))
        return wave * (PEAK / wave.abs().max().clamp(min=PEAK))

    def _mel_bands(self) -> Tensor:
        c = self.config
        bands = torchaudio.functional.melscale_fbanks(
            c.n_fft // 2 + 1, c.f_min, c.f_max, c.n_mels, c.sampling_rate, norm="slaney", mel_scale="slaney"
        )
        return bands.to(self.device)


def nearest(points: Tensor, codebook: Tensor) -> Tensor:
    """points: [n, dim], codebook: [K, dim] → index of the nearest entry [n] int64."""
    return (codebook.pow(2).sum(1) - 2 * points @ codebook.T).argmin(1)


def mel_context(log_mel: Tensor) -> Tensor:
    """log_mel: [frames, n_mels] → [frames, 3 * n_mels + 1]: the frame between its neighbours, and a constant."""
    before, after = log_mel.roll(1, 0), log_mel.roll(-1, 0)
    before[:1], after[-1:] = log_mel[:1], log_mel[-1:]
    return torch.cat([before, log_mel, after, log_mel.new_ones(len(log_mel), 1)], dim=1)


def register() -> None:
    """Makes `AutoConfig` and `AutoModel` know the codec, so that a checkpoint with it loads. May be called again."""
    AutoConfig.register(MelCodecConfig.model_type, MelCodecConfig, exist_ok=True)
    AutoModel.register(MelCodecConfig, MelCodecModel, exist_ok=True)
