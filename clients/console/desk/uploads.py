"""Files that come back to the desk from where they were signed."""

from clients.console.base import PageRefused, Visit
from clients.language import marked


def required_upload(visit: Visit, field: str) -> bytes:
    """Return the one file of a form's field; raise ``PageRefused`` where there is none, or more."""
    files = visit.form.uploads(field)
    if len(files) != 1 or not files[0].content:
        raise PageRefused(
            422, marked("No file was chosen"), marked("Choose the one file that you have signed.")
        )
    return files[0].content
