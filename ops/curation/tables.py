"""The schemas of the curation tables, drawn from their columns (`catalogue`). Every table keeps all its rows:
`rejected_by` is null for those kept."""

from __future__ import annotations

from ops.catalogue import STEPS

RAW_VIDEOS = STEPS["raw_videos"].table.schema
RAW_IMAGES = STEPS["raw_images"].table.schema
CURATED_IMAGES = STEPS["curated_images"].table.schema
CLIPS = STEPS["clips"].table.schema
SHOTS = STEPS["shots"].table.schema
MOTION = STEPS["motion"].table.schema
TEXT_CROP = STEPS["text_crop"].table.schema
AESTHETICS = STEPS["aesthetics"].table.schema
TECHNICAL_QUALITY = STEPS["technical_quality"].table.schema
SAFETY = STEPS["safety"].table.schema
MOTION_RECHECK = STEPS["motion_recheck"].table.schema
NEAR_DUPLICATES = STEPS["near_duplicates"].table.schema
