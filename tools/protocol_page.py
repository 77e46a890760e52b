"""The protocol's reference page, from the comments of the protos: every service, message and enum."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from tools.protos import PROTOS, contract_files, run_protoc

HEAD = """# Protocol reference

<!-- Made by tools/docs.py; do not edit, run `.venv/bin/python tools/docs.py`. -->

Everything that goes over the wires, from the comments in
[`protos/concordat/v1`](../protos/concordat/v1). The bounds of each field stand there as protovalidate rules, and
hold before any work is done; what is out of bounds is refused with `MESSAGE_INVALID` or `STATEMENT_MALFORMED`
([reasons](errors.md)). Which RPC is served on which port: [architecture](ARCHITECTURE.md#processes-and-ports).
"""

# Numbers of fields in descriptor.proto, by which a comment's place is told.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _NESTED_ENUMS, _VALUES, _METHODS = 2, 3, 4, 2, 2
_PACKAGE_PATH = 2  # `package` in a file: its comment is the file's

_KIND = FieldDescriptorProto.Type
_Comments = Mapping[tuple[int, ...], str]


def protocol_page() -> str:
    """Return the page: services first, then what they carry, file by file in the order of names."""
    files = [file for file in _described() if file.package == "concordat.v1"]
    files.sort(key=lambda file: (not file.service, file.name))
    return HEAD + "".join(text for file in files for text in _file(file))


def _described() -> list[FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "contract.binpb")
        run_protoc(
            PROTOS,
            "--include_source_info",
            f"--descriptor_set_out={image}",
            *contract_files(PROTOS),
        )
        return list(FileDescriptorSet.FromString(image.read_bytes()).file)


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = {
        tuple(place.path): _prose(place.leading_comments)
        for place in file.source_code_info.location
        if place.leading_comments
    }
    name = file.name.rpartition("/")[2]
    yield f"\n## {name}\n\n[Source](../protos/{file.name}). {comments.get((_PACKAGE_PATH,), '')}\n"
    for number, service in enumerate(file.service):
        yield from _service(service, comments, (_SERVICES, number))
    for number, message in enumerate(file.message_type):
        yield from _message(message, "", comments, (_MESSAGES, number))
    for number, enum in enumerate(file.enum_type):
        yield from _enum(enum, "", comments, (_ENUMS, number))


def _service(
    service: ServiceDescriptorProto, comments: _Comments, path: tuple[int, ...]
) -> Iterator[str]:
    yield f"\n### {service.name}\n\n{comments.get(path, '')}\n\n"
    yield "| RPC | takes | returns | what |\n|---|---|---|---|\n"
    for number, method in enumerate(service.method):
        takes = _stream(method.input_type, streams=method.client_streaming)
        returns = _stream(method.output_type, streams=method.server_streaming)
        what = comments.get((*path, _METHODS, number), "")
        yield f"| `{method.name}` | {takes} | {returns} | {_cell(what)} |\n"


def _message(
    message: DescriptorProto, within: str, comments: _Comments, path: tuple[int, ...]
) -> Iterator[str]:
    """Yield a message and what is declared in it; the entries of maps are their field's type."""
    name = f"{within}{message.name}"
    maps = {each.name: each for each in message.nested_type if each.options.map_entry}
    yield f"\n### {name}\n\n{comments.get(path, '')}\n"
    if message.field:
        yield "\n| field | type | what |\n|---|---|---|\n"
    for number, field in enumerate(message.field):
        what = comments.get((*path, _FIELDS, number), "")
        yield f"| `{field.name}` = {field.number} | {_type(field, maps)} | {_cell(what)} |\n"
    for number, nested in enumerate(message.nested_type):
        if nested.name not in maps:
            yield from _message(nested, f"{name}.", comments, (*path, _NESTED, number))
    for number, enum in enumerate(message.enum_type):
        yield from _enum(enum, f"{name}.", comments, (*path, _NESTED_ENUMS, number))


def _enum(
    enum: EnumDescriptorProto, within: str, comments: _Comments, path: tuple[int, ...]
) -> Iterator[str]:
    yield f"\n### {within}{enum.name}\n\n{comments.get(path, '')}\n\n"
    yield "| value | what |\n|---|---|\n"
    for number, value in enumerate(enum.value):
        what = comments.get((*path, _VALUES, number), "")
        yield f"| `{value.name}` = {value.number} | {_cell(what)} |\n"


def _stream(type_name: str, *, streams: bool) -> str:
    return f"{'stream of ' if streams else ''}`{_short(type_name)}`"


def _type(field: FieldDescriptorProto, maps: Mapping[str, DescriptorProto]) -> str:
    name = _short(field.type_name) if field.type_name else _KIND.Name(field.type)
    plain = name.removeprefix("TYPE_").lower() if not field.type_name else name
    entry = maps.get(plain.rpartition(".")[2])
    if entry is not None:
        key, value = entry.field
        return f"map of {_type(key, {})} to {_type(value, {})}"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"list of `{plain}`"
    return f"`{plain}`, optional" if field.proto3_optional else f"`{plain}`"


def _short(type_name: str) -> str:
    return type_name.removeprefix(".").removeprefix("concordat.v1.")


def _prose(comment: str) -> str:
    """Return a comment as Markdown that shows it as it is."""
    lines = [line.removeprefix(" ").rstrip() for line in comment.strip("\n").splitlines()]
    return "\n".join(re.sub(r"(?<!\\)([<*\[\]])", r"\\\1", line) for line in lines).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
