"""The YAML section `log`: which inputs the prediction log stores, and how."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel

InputPolicy = Literal["plain", "hashed"]


class LogPolicy(StrictModel):
    """How the prediction log stores inputs; saved with the predictor, so that every service and batch job follows it.

    `inputs` is "plain" (the default), "hashed", or one of both per raw column; unnamed columns are plain.
    """

    inputs: InputPolicy | dict[str, InputPolicy] = Field(
        "plain", description="for all columns, or by column; the others are plain"
    )
    batch: bool = Field(True, description="whether batch jobs leave records too")

    def hashes(self, column: str) -> bool:
        """Return whether only a hash of this raw column is logged."""
        how = self.inputs if isinstance(self.inputs, str) else self.inputs.get(column, "plain")
        return how == "hashed"
