"""The recipe: one typed tree of settings, read once from `params.yaml` and the preset that it names.

`params.yaml` holds `preset: NAME` and, below it, whatever overrides `configs/NAME.yaml`. Unknown keys and impossible
sizes raise `ConfigError`, which names the file, the key and what would be right. Each file here is a part of the tree.
"""

from ops.config.automation import Automation
from ops.config.captions import CaptionRequests, Captions, LocalCaptions
from ops.config.curation import (
    PICTURE_CHANGE,
    Aesthetics,
    Curation,
    Exclusion,
    NearDuplicates,
    Safety,
    Sampling,
    ShotBoundaries,
    Shots,
    Slicing,
    TechnicalQuality,
    TextCrop,
    VideoKind,
)
from ops.config.dataset import Cut, Dataset, OwnCut, TextEncoder, ratio_of, said_of
from ops.config.denoiser import CaptionPhrase, Denoiser, DenoiserModel, Diffusion
from ops.config.encodings import Latents, Mode, Precision, TextEmbeddings
from ops.config.images import ImageCollectionRules, ImageRules, PeopleImageRules, TextImageRules
from ops.config.overrides import assign, merge
from ops.config.recipe import change, load, presets, read_yaml, resolve
from ops.config.release import Evaluation, Release, Sampler
from ops.config.rules import LOWER_IS_BETTER, RULED_SCORES, Rule, RuledScore
from ops.config.section import ConfigError, Positive, Section, Share, WronglyCalled, one_plus_four_n
from ops.config.settings import DEFAULT_CUT, Settings, WantedCut
from ops.config.sources import ImageCollection, Sources, VideoCollection
from ops.config.stages import DenoiserStage, ImageCondition, Masks, Stage, StageKind, TextToVideo, TrainingKind
from ops.config.training import Clipping, Launch, Optimizer, Pictures, Schedule
from ops.config.vae import (
    CausalVae,
    CausalVaeLosses,
    CausalVaeModel,
    Vae,
    VaeLosses,
    VaeModel,
    VaeStage,
    VaeViews,
    WfVae,
    WfVaeLosses,
    WfVaeModel,
)

__all__ = [
    "DEFAULT_CUT",
    "LOWER_IS_BETTER",
    "PICTURE_CHANGE",
    "RULED_SCORES",
    "Aesthetics",
    "Automation",
    "CaptionPhrase",
    "CaptionRequests",
    "Captions",
    "CausalVae",
    "CausalVaeLosses",
    "CausalVaeModel",
    "Clipping",
    "ConfigError",
    "Curation",
    "Cut",
    "Dataset",
    "Denoiser",
    "DenoiserModel",
    "DenoiserStage",
    "Diffusion",
    "Evaluation",
    "Exclusion",
    "ImageCollection",
    "ImageCollectionRules",
    "ImageCondition",
    "ImageRules",
    "Latents",
    "Launch",
    "LocalCaptions",
    "Masks",
    "Mode",
    "NearDuplicates",
    "Optimizer",
    "OwnCut",
    "PeopleImageRules",
    "Pictures",
    "Positive",
    "Precision",
    "Release",
    "Rule",
    "RuledScore",
    "Safety",
    "Sampler",
    "Sampling",
    "Schedule",
    "Section",
    "Settings",
    "Share",
    "ShotBoundaries",
    "Shots",
    "Slicing",
    "Sources",
    "Stage",
    "StageKind",
    "TechnicalQuality",
    "TextCrop",
    "TextEmbeddings",
    "TextEncoder",
    "TextImageRules",
    "TextToVideo",
    "TrainingKind",
    "Vae",
    "VaeLosses",
    "VaeModel",
    "VaeStage",
    "VaeViews",
    "VideoCollection",
    "VideoKind",
    "WantedCut",
    "WfVae",
    "WfVaeLosses",
    "WfVaeModel",
    "WronglyCalled",
    "assign",
    "change",
    "load",
    "merge",
    "one_plus_four_n",
    "presets",
    "ratio_of",
    "read_yaml",
    "resolve",
    "said_of",
]
