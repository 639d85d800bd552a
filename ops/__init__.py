"""The work itself: plain functions and training programs, which run without Dagster."""
