"""What all sections of settings have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict

Fraction = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], Strict(False)]


class Section(BaseModel):
    """Base of every section: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
