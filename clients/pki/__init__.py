"""A federation's trust, set up offline: roots, certificates, member keys, licences, trust bundle.

Nothing here needs a network or a running process. `Pki` is one folder of it; `signing` is for root
keys that are kept apart from each other.
"""

from clients.pki.certificates import CertificateAuthority
from clients.pki.errors import PkiError
from clients.pki.federation import Endpoints, Pki, WitnessTerms
from clients.pki.files import MemberFiles, read_envelope
from clients.pki.licences import LicenceSpec
from clients.pki.scales import read_scale, scale_of
from clients.pki.signing import SigningProgress, add_signature

__all__ = [
    "CertificateAuthority",
    "Endpoints",
    "LicenceSpec",
    "MemberFiles",
    "Pki",
    "PkiError",
    "SigningProgress",
    "WitnessTerms",
    "add_signature",
    "read_envelope",
    "read_scale",
    "scale_of",
]
