"""From a folder of sources to curated clips and images, in the order of the paper (arXiv 2412.00131, Table 5)."""

import dagster as dg

from pipelines.factories.dataset_asset import dataset_asset

DESCRIPTIONS = {
    "raw_videos": "The video files of the source, each decoded once to count its frames. A file that cannot be used "
    "keeps its row, with the reason.",
    "clips": "Videos sliced into pieces of at most `curation.clips.max_seconds`.",
    "shots": "Clips split at jump cuts: outliers of the LPIPS distance between sampled frames and, if "
    "`curation.shot_boundaries` is on, where TransNetV2 sees a shot end.",
    "motion": "Mean LPIPS of each shot: nearly still and shaking shots fall out.",
    "text_crop": "Text near an edge, such as subtitles, is cropped away; nothing is discarded.",
    "aesthetics": "An aesthetic score of the cropped frames, and the rule that decides by it.",
    "technical_quality": "A technical quality score (blur, noise, compression), and the rule that decides by it.",
    "safety": "How probably the frames may be shown at work, and the rule that decides by it; nothing is looked at "
    "unless `curation.safety` is on.",
    "motion_recheck": "Motion once more on the cropped clip: moving subtitles can hide a still picture.",
    "near_duplicates": "Of clips that show the same, by perceptual hashes of their frames, the one of the highest "
    "resolution stays.",
    "curated_clips": "All clips with every score and the final decision.",
    "raw_images": "The image files of the source. A file that cannot be used keeps its row, with the reason.",
    "curated_images": "Images with their aesthetic and technical scores and the final decision.",
}


@dg.definitions
def curation() -> dg.Definitions:
    return dg.Definitions(
        assets=[dataset_asset(name, group="curation", description=text) for name, text in DESCRIPTIONS.items()]
    )
