"""Files that a page hands out to be saved."""

from starlette.responses import Response


def attachment(content: bytes, name: str, kind: str = "application/octet-stream") -> Response:
    """Return a file to be saved; ``name`` is one that this side made, in plain ASCII."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)
