"""Identity numbers turned into subject_refs by the registrar, who alone can."""

from collections.abc import Sequence

import grpc

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import RemoteError, from_rpc_error
from concordat.rpc.tls import TlsIdentity, member_channel
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceStub

BATCH = 1000
DEADLINE_SECONDS = 30.0


class Registrar:
    """The registrar's member port, called with this member's own certificate."""

    def __init__(self, anchors: Anchors, identity: TlsIdentity) -> None:
        """Prepare a channel; nothing is sent yet."""
        bundle = anchors.bundle
        self._channel = open_channel(
            bundle.registrar_endpoint,
            member_channel(identity, anchors),
            anchors.server_name(bundle.registrar_id),
        )
        self._stub = RegistrarServiceStub(self._channel)

    def resolve(self, identities: Sequence[bytes]) -> list[bytes]:
        """Return a subject_ref for each identity, empty where it is not an identity number.

        Raises ``RemoteError`` where the registrar refuses (as REASON_QUOTA_EXCEEDED) or can't be
        reached.
        """
        refs: list[bytes] = []
        for start in range(0, len(identities), BATCH):
            batch = identities[start : start + BATCH]
            request = v1.EvaluateIdentitiesRequest(
                suite=v1.IdentitySuite.IDENTITY_SUITE_KEYED_HASH, inputs=batch
            )
            try:
                answer = self._stub.EvaluateIdentities(request, timeout=DEADLINE_SECONDS)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            if len(answer.outputs) != len(batch) or any(
                len(r) not in {0, 32} for r in answer.outputs
            ):
                raise RemoteError(
                    grpc.StatusCode.DATA_LOSS,
                    v1.Reason.REASON_UNSPECIFIED,
                    "the registrar's answer does not fit the question",
                )
            refs.extend(answer.outputs)
        return refs

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
