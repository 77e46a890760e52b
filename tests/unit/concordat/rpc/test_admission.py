"""Who is let in before the members are known."""

import pytest

from concordat.clock import Clock
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.admission import Admission
from concordat.rpc.member_watch import MemberWatch
from concordat.rpc.policy import Port
from concordat.rpc.tls import TlsIdentity
from tests.builders import EXCHANGE, Federation, Pki

METHOD = "/concordat.v1.ProviderService/RequestScores"


def test_a_process_that_has_not_heard_of_the_members_says_so_and_calls_nobody_unlicensed() -> None:
    federation = Federation()
    directory, clock = MemberDirectory(federation.anchors), Clock(source=lambda: federation.at)
    identity = TlsIdentity(*Pki().issue(EXCHANGE))
    watch = MemberWatch(directory, identity, clock, lambda licences, statuses: None)
    admission = Admission(directory, clock, Port.MEMBER, watch.require_current)
    with pytest.raises(Refusal, match="DIRECTORY_STALE"):
        admission.admit(METHOD, {"x509_pem_cert": [identity.certificate]}, {}, 5.0)
    with pytest.raises(Refusal, match="CALLER_UNKNOWN"):
        admission.admit(METHOD, {}, {}, 5.0)
