"""Errors, as every route answers them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ProblemSchema(BaseModel):
    """An error (RFC 9457). `code` is stable; some codes add members."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:arcid:error:identity_unknown",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "nobody is enrolled as 'ada' in collection 'default'",
                    "code": "identity_unknown",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: Annotated[
        str | None, Field(description="The X-Request-ID, also in the log; missing if the request was not read.")
    ] = None


class FieldErrorSchema(BaseModel):
    """An invalid field or parameter."""

    field: str
    detail: str
