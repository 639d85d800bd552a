"""Tags of Dagster runs that soraflow sets and reads."""

from __future__ import annotations

PIPELINE_RUN = "soraflow/pipeline_run"
"""Which run of the pipeline it is, so that its records lie together (`Project.pipeline_run`)."""
REASON = "soraflow/reason"
"""Why a sensor started it, for a person."""
LISTING = "soraflow/listing"
"""The listing of sources for which it was started."""
HOST = "soraflow/host"
"""The machine on which its process was started."""
GRPC_INFO = ".dagster/grpc_info"
"""Dagster's own: the code server that has its process."""
