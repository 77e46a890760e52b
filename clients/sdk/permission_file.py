"""What a subject hands to a lender, in a file (`.consent`): a serialised v1.GrantConsentRequest."""

from pathlib import Path

from google.protobuf.message import DecodeError

from clients.sdk.errors import ClientError
from clients.sdk.views import Permission
from concordat import v1
from concordat.trust.envelope import refuse_unknown_fields, validate
from concordat.trust.errors import StatementMalformedError

SUFFIX = ".consent"


def dump_permission(permission: Permission) -> bytes:
    """Return the file's content: the consent and the binding of the key that signed it."""
    message = v1.GrantConsentRequest(consent=permission.consent, binding=permission.binding)
    return message.SerializeToString(deterministic=True)


def load_permission(path: Path) -> Permission:
    """Read a permission, verified by nobody yet; raise ``ClientError`` where the file holds none."""
    try:
        message = v1.GrantConsentRequest.FromString(path.read_bytes())
        refuse_unknown_fields(message)
        validate(message)
    except OSError as error:
        raise ClientError(f"cannot read {path}: {error.strerror}") from error
    except (DecodeError, StatementMalformedError) as error:
        raise ClientError(f"{path} holds no consent; ask the subject for the file again") from error
    return Permission(message.consent, message.binding)
