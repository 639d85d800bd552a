"""What those need of a model who go on with it, however it came to be."""

from __future__ import annotations

from pydantic import ConfigDict

from ops.runtime.artifacts import Results


class Weights(Results):
    """Weights in the released form, of a training or adopted. What else is known of them is not read here."""

    model_config = ConfigDict(extra="ignore")

    released: str
    """Their folder within the artifact's."""
