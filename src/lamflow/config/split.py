"""How a dataset is divided into training, validation and test frames."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lamflow.config.base import Number, StrictModel

Fraction = Annotated[Number, Field(ge=0, lt=1)]


class SplitSettings(StrictModel):
    """Fractions of frames; frames of one group (near-identical ones) stay together."""

    validation: Fraction = 0.1
    """Fraction of the frames (0 to 1) that watches the training."""
    test: Fraction = 0.1
    """Fraction of the frames (0 to 1) that is held out; unused for a dataset with `test:`."""

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.validation + self.test >= 1:
            raise PydanticCustomError(
                "split", "validation and test together leave no frame for training; lower them"
            )
        return self

    def fractions(self, own_test: bool) -> dict[str, float]:
        """Return the fraction of each part; `own_test` says that the dataset brings a test set."""
        parts = {"validation": self.validation} | ({} if own_test else {"test": self.test})
        return {"train": 1 - sum(parts.values()), **parts}
