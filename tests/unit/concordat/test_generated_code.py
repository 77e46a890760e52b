"""The generated contract carries its bounds, and loading it costs no more than messages."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor

from concordat import v1
from concordat.buf.validate import validate_pb2

PROTOS = Path(__file__).parents[3] / "protos"
ENFORCED = protovalidate.ViolationPb.desc().file.proto.to_binary()


def broken_rules(subject_ref: bytes) -> set[tuple[str, str]]:
    """The bounds that a consent with this subject breaks, as (field, rule)."""
    return {
        (violation.proto.field.elements[0].field_name, violation.proto.rule_id)
        for violation in protovalidate.collect_violations(v1.Consent(subject_ref=subject_ref))
        if violation.proto.field is not None
    }


def test_a_bound_in_the_proto_holds_for_a_generated_message() -> None:
    assert ("subject_ref", "bytes.len") in broken_rules(bytes(31))
    assert ("subject_ref", "bytes.len") not in broken_rules(bytes(32))


def test_a_message_out_of_bounds_is_refused() -> None:
    with pytest.raises(protovalidate.ValidationError):
        protovalidate.validate(v1.Consent())


def test_the_rules_compiled_in_are_those_that_protovalidate_enforces() -> None:
    compiled_in = descriptor_pb2.FileDescriptorProto.FromString(
        validate_pb2.DESCRIPTOR.serialized_pb
    )
    # Parsed, not by bytes: protoc writes the fields of an option in another order.
    assert compiled_in == descriptor_pb2.FileDescriptorProto.FromString(ENFORCED)


def test_another_copy_of_the_rules_in_the_process_does_no_harm() -> None:
    descriptor_pool.Default().AddSerializedFile(ENFORCED)
    field = v1.Consent.DESCRIPTOR.fields_by_name["subject_ref"]
    assert field.GetOptions().Extensions[validate_pb2.field].bytes.len == 32


def contract_file(path: Path) -> FileDescriptor:
    module = ".".join(path.relative_to(PROTOS).with_suffix("").parts)
    found: FileDescriptor = import_module(f"{module}_pb2").DESCRIPTOR
    return found


MESSAGES = [
    message
    for path in sorted((PROTOS / "concordat").rglob("*.proto"))
    for message in contract_file(path).message_types_by_name.values()
]
FIELDS = [field for message in MESSAGES for field in message.fields]


def unbounded(field: FieldDescriptor) -> list[str]:
    """Return what of a field's size has no upper bound in the proto."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    found = []
    if field.is_repeated:
        if not rules.repeated.HasField("max_items"):
            found.append("items")
        rules = rules.repeated.items
    if field.type == FieldDescriptor.TYPE_BYTES:
        if not (rules.bytes.HasField("len") or rules.bytes.HasField("max_len")):
            found.append("bytes")
    elif field.type == FieldDescriptor.TYPE_STRING:
        pattern = rules.string.pattern
        bounded = re.fullmatch(r"\^.*\$", pattern) and not re.search(r"[*+]|\{\d+,\}", pattern)
        if not (rules.string.HasField("max_len") or bounded):
            found.append("characters")
    return found


def test_every_message_of_the_contract_is_walked_through() -> None:
    messages = {message.name for message in MESSAGES}
    assert {"Envelope", "ViewBundle", "RequestScoresRequest", "TrustBundle"} <= messages
    nested = [message.name for message in MESSAGES if message.nested_types]
    assert nested == []  # the walk would pass over them


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.full_name)
def test_every_list_text_and_byte_string_of_the_contract_is_bounded(field: FieldDescriptor) -> None:
    assert unbounded(field) == []


@pytest.mark.parametrize("unwanted", ["grpc", "buf"])
def test_reading_messages_loads_neither_grpc_nor_a_stray_package(unwanted: str) -> None:
    code = (
        f"import sys; from concordat import v1; v1.Consent; sys.exit({unwanted!r} in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
