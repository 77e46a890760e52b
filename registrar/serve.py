"""Wiring of the registrar process: opens what it needs, serves two ports, stops when told."""

import signal
import threading
from contextlib import ExitStack

import grpc
import structlog

from concordat.clock import Clock
from concordat.federation.anchors import Anchors, load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.rpc.admission import Admission
from concordat.rpc.member_watch import MemberWatch
from concordat.rpc.policy import Port
from concordat.rpc.sync_server import SyncServer
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.settings import SettingsError
from concordat.store.engine import open_engine, require_current
from concordat.store.exclusive import only_process
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.exporter import exporting
from concordat.telemetry.licences import read_licences
from concordat.trust.keys import Signer
from concordat.v1.registrar_service_pb2_grpc import add_RegistrarServiceServicer_to_server
from registrar import MIGRATIONS
from registrar.codes import EnrolmentCodes
from registrar.derivation import KeyedHashDerivation, load_key
from registrar.desk import RegistrarDesk
from registrar.housekeeping import keep_time, latest_time
from registrar.identity import IdentityForm
from registrar.members import MemberRecords, load_members
from registrar.rebindings import Rebindings
from registrar.servicer import RegistrarServicer
from registrar.settings import RegistrarSettings

_log = structlog.get_logger("concordat.registrar")
SERVICE = "concordat.v1.RegistrarService"


def form_of(settings: RegistrarSettings) -> IdentityForm:
    """Return the rule for identity numbers."""
    return IdentityForm(settings.identity.pattern, settings.identity.strip_separators)


def require_own_key(anchors: Anchors, settings: RegistrarSettings) -> Signer:
    """Load the signing key; raise ``SettingsError`` unless it is the trust bundle's."""
    signer = settings.signer()
    if settings.member_id != anchors.bundle.registrar_id:
        raise SettingsError(
            f"member_id is {settings.member_id!r}; "
            f"the trust bundle's registrar is {anchors.bundle.registrar_id!r}"
        )
    if signer.public_key != anchors.bundle.registrar_key:
        raise SettingsError(
            f"{settings.signing_key} is not the registrar key of {settings.trust_bundle}: "
            "nobody would accept its bindings"
        )
    return signer


def open_desk(settings: RegistrarSettings, anchors: Anchors, store: GroupCommit) -> RegistrarDesk:
    """Load the keys and put the desk together."""
    key = load_key(settings.identity.derivation_key)
    return RegistrarDesk(
        federation=anchors.federation,
        derivation=KeyedHashDerivation(key, anchors.federation, form_of(settings)),
        codes=EnrolmentCodes(key, anchors.federation),
        signer=require_own_key(anchors, settings),
        store=store,
        daily_quota=settings.identity.daily_quota,
        binding_days=settings.identity.binding_days,
    )


def serve(
    settings: RegistrarSettings, stop: threading.Event | None = None, clock: Clock | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, or until ``stop`` is set; raises what opening things raises.

    Says ``serving`` with both ports in the log once calls are answered. Whoever lives through years in
    minutes brings a ``clock``; no setting does.
    """
    stop = stop or _stopped_by_signals()
    with ExitStack() as closing:
        anchors = load_anchors(settings.trust_bundle)
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        closing.enter_context(only_process(settings.database))
        engine = open_engine(settings.database)
        closing.callback(engine.dispose)
        require_current(engine, MIGRATIONS)
        store = GroupCommit(engine, "registrar-store")
        closing.callback(store.close)
        desk = open_desk(settings, anchors, store)
        clock = clock or Clock(floor=store.run(latest_time))
        directory = MemberDirectory(anchors)
        store.run(lambda connection: load_members(connection, directory, clock.now()))
        watch = MemberWatch(directory, identity, clock, MemberRecords(store).keep)
        timer = threading.Thread(target=keep_time, args=(store, clock, stop), name="clock-mark")

        rebindings = Rebindings(store, clock)
        members = Admission(directory, clock, Port.MEMBER, watch.require_current)
        servicer = RegistrarServicer(
            desk,
            watch.require_current,
            rebindings,
            lambda call, context: members.readmit(call, context.auth_context(), None),
        )
        ports = {
            Port.MEMBER: (settings.member_listen, member_port(identity, anchors)),
            Port.PUBLIC: (settings.public_listen, public_port(identity)),
        }
        bound = {}
        for port, (address, credentials) in ports.items():
            admission = Admission(directory, clock, port, watch.require_current)
            server = _listen(address, credentials, admission, settings.threads)
            add_RegistrarServiceServicer_to_server(servicer, server.server)
            closing.callback(server.stop, settings.shutdown_grace_seconds)
            server.start(SERVICE)
            bound[port] = server.port
        closing.callback(rebindings.stop)  # before the servers wait for their calls to end
        timer.start()
        closing.callback(timer.join)
        reading = [lambda: read_licences(directory, clock.now())]
        closing.enter_context(exporting(settings.metrics_listen, "registrar", reading))
        watch.start()
        closing.callback(watch.stop)
        closing.callback(stop.set)
        _log.info("serving", member_port=bound[Port.MEMBER], public_port=bound[Port.PUBLIC])
        stop.wait()
        _log.info("stopping")


def _listen(
    address: str, credentials: grpc.ServerCredentials, admission: Admission, threads: int
) -> SyncServer:
    try:
        return SyncServer(address, credentials, admission, threads)
    except RuntimeError as error:
        raise SettingsError(f"cannot listen on {address}: is it in use?") from error


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
