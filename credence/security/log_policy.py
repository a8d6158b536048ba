"""What of a request may be written down."""

from typing import Literal

from pydantic import Field

from credence.core.registry import StrictModel

InputPolicy = Literal["plain", "hashed"]


class LogPolicy(StrictModel):
    """The section `log`: how the inputs of every answer are kept. It travels with the predictor, so that no service
    and no batch job can forget it."""

    inputs: InputPolicy | dict[str, InputPolicy] = Field(
        "plain", description="for all columns, or by column; the others are plain"
    )
    batch: bool = Field(True, description="whether batch jobs leave records too")

    def hashes(self, column: str) -> bool:
        """Is this raw column kept as a hash only?"""
        how = self.inputs if isinstance(self.inputs, str) else self.inputs.get(column, "plain")
        return how == "hashed"
