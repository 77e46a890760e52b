"""Files that leave the desk to be signed elsewhere, and that come back."""

from starlette.responses import Response

from clients.console.base import PageRefused, Visit
from clients.language import marked


def attachment(content: bytes, name: str) -> Response:
    """Return a file to be saved; ``name`` is one that this desk made, in plain ASCII."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def required_upload(visit: Visit, field: str) -> bytes:
    """Return the one file of a form's field; raise ``PageRefused`` where there is none, or more."""
    files = visit.form.uploads(field)
    if len(files) != 1 or not files[0].content:
        raise PageRefused(
            422, marked("No file was chosen"), marked("Choose the one file that you have signed.")
        )
    return files[0].content
