"""What all sections of settings have in common."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

Fraction = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], Strict(False)]
Effect = Literal["model", "predictions", "nothing"]


class Strictly(BaseModel):
    """Frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Section(Strictly):
    """Base of every section, which declares what a change of one of its keys makes again.

    ``affects``: ``model``, every model is trained again; ``predictions``, cached predictions are
    not reused, while a model of the same rows still is; ``nothing`` of the two.
    """

    affects: ClassVar[Effect]
