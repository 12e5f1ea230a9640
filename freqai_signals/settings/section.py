"""Base classes and types of all settings sections."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

Fraction = Annotated[float, Field(ge=0, le=1)]
# JSON has lists, which strict mode would refuse for a tuple.
Names = Annotated[tuple[str, ...], Strict(False)]
Effect = Literal["model", "predictions", "nothing"]


class StrictModel(BaseModel):
    """Frozen and strict; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Section(StrictModel):
    """Base of every section, which declares what its keys affect.

    ``affects``: after a change of a key, ``model``: all models are trained again; ``predictions``:
    cached predictions are not reused, but models of the same rows are; ``nothing``: both are.
    """

    affects: ClassVar[Effect]
