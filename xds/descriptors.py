"""
Protobuf descriptors of Envoy's messages, made from envoy-data-plane's field metadata on demand.

In: the classes of envoy-data-plane. Out: the database behind the descriptor pool of
`xds.messages`, the only user of this module.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import keyword
import threading
import typing
import warnings
from typing import TYPE_CHECKING, Final

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

if TYPE_CHECKING:
    import enum
    from collections.abc import Mapping

    from betterproto2 import FieldMetadata

_LIBRARY: Final = "envoy_data_plane"
_WELL_KNOWN: Final = {
    f"google.protobuf.{name}": module.DESCRIPTOR
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
    for name in module.DESCRIPTOR.message_types_by_name
}


class DescriptorDatabase:
    """
    Describes messages to a descriptor pool as it asks for them.

    A descriptor belongs to a file, and files may not import each other in circles. How the
    messages were divided into .proto files is not recorded in envoy-data-plane, so files are made
    anew: one for each top-level message, or for several where they contain each other. That
    never needs messages of two packages in one file, since the original files had no circles.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """A translation in a worker thread may ask for messages while the server does."""
        self._files: dict[str, FileDescriptorProto] = {}
        self._file_of: dict[str, str] = {}
        """File name by top-level message."""
        self._unfinished: dict[str, _Draft] = {}
        """Messages in the making, which may turn out to contain each other; outermost first."""

    def FindFileByName(self, name: str) -> FileDescriptorProto:  # noqa: N802 - protobuf's name
        """Return a file that another one imports."""
        return self._files[name]

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptorProto:  # noqa: N802 - protobuf's name
        """
        Return the file that describes a message.

        Raises:
            KeyError: There is no such message.
        """
        top = _top_level(symbol)
        with self._lock:
            if top not in self._file_of:
                self._describe(top)
            return self._files[self._file_of[top]]

    def _describe(self, top: str) -> int:
        """
        Describe a message after all it contains, and return how far out a circle goes from it.

        This is Tarjan's search for strongly connected components: whatever was begun after a
        message that no circle leaves belongs into one file with it.
        """
        if top in _WELL_KNOWN:
            original = FileDescriptorProto.FromString(_WELL_KNOWN[top].serialized_pb)
            self._files[original.name] = original
            self._file_of[top] = original.name
            return len(self._unfinished)
        position = outermost = len(self._unfinished)
        draft = self._unfinished[top] = _Draft(top)
        for needed in draft.needs:
            if needed in self._unfinished:
                outermost = min(outermost, list(self._unfinished).index(needed))
            elif needed not in self._file_of:
                outermost = min(outermost, self._describe(needed))
        if outermost == position:
            self._finish(list(self._unfinished)[position:])
        return outermost

    def _finish(self, circle: list[str]) -> None:
        """Make one file of messages that contain each other."""
        name = f"{circle[0]}.proto"
        file = FileDescriptorProto(name=name, package=_package(circle[0]), syntax="proto3")
        imports: set[str] = set()
        self._file_of.update(dict.fromkeys(circle, name))
        for top in circle:
            draft = self._unfinished.pop(top)
            file.message_type.append(draft.message)
            for enum_class in draft.enums:
                imports.add(self._describe_enum(enum_class))
            imports.update(self._file_of[needed] for needed in draft.needs)
        file.dependency.extend(sorted(imports - {name}))
        self._files[name] = file

    def _describe_enum(self, enum_class: type[enum.IntEnum]) -> str:
        """Make a file for an enum, and return its name."""
        scope = _enum_scope(enum_class)
        name = f"{scope}.proto"
        if name not in self._files:
            file = self._files[name] = FileDescriptorProto(
                name=name, package=scope, syntax="proto3"
            )
            values = enum_class.__members__.values()
            proto = file.enum_type.add(name=_ENUM)
            for value in values:
                # envoy-data-plane shortens the names that repeat the name of their enum.
                value_name = getattr(value, "proto_name", None) or value.name
                proto.value.add(name=value_name, number=int(value))
        return name


_ENUM: Final = "Enum"
"""
The name of every enum, in a package of its own: nobody sees it, since only numbers are on the wire
and only value names are printed, and the value names of two enums never meet."""


class _Draft:
    """A top-level message, with the messages nested in it, before it has a file."""

    def __init__(self, top: str) -> None:
        self.needs: dict[str, None] = {}
        """The top-level messages that it contains, in the order of their appearance."""
        self.enums: dict[type[enum.IntEnum], None] = {}
        """The enums that it contains, likewise."""
        described = _messages(_package(top))[top]
        protos: dict[str, DescriptorProto] = {}
        for full_name in sorted(described):  # a message sorts before those nested in it
            outer, _, name = full_name.rpartition(".")
            nested = protos[outer].nested_type if outer in protos else None
            proto = nested.add(name=name) if nested is not None else DescriptorProto(name=name)
            protos[full_name] = proto
            self._add_fields(proto, full_name, described[full_name])
        self.message = protos[top]

    def _add_fields(self, proto: DescriptorProto, full_name: str, described: type) -> None:
        hints = typing.get_type_hints(described)
        oneofs: dict[str, int] = {}
        optional: list[FieldDescriptorProto] = []
        for attribute in dataclasses.fields(described):
            meta: FieldMetadata = attribute.metadata["betterproto"]
            arguments = typing.get_args(hints[attribute.name]) or (hints[attribute.name],)
            field = proto.field.add(name=_proto_name(attribute.name), number=meta.number)
            if meta.map_meta is not None:
                entry = proto.nested_type.add(name=_entry_name(field.name))
                entry.options.map_entry = True
                for part, part_meta, hint in zip(_ENTRY, meta.map_meta, arguments, strict=True):
                    self._set_type(
                        entry.field.add(name=part, number=part_meta.number, label=_ONE),
                        part_meta,
                        hint,
                    )
                field.label = FieldDescriptorProto.LABEL_REPEATED
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{full_name}.{entry.name}"
                continue
            field.label = FieldDescriptorProto.LABEL_REPEATED if meta.repeated else _ONE
            self._set_type(field, meta, arguments[0])
            if meta.group:
                if meta.group not in oneofs:
                    oneofs[meta.group] = len(proto.oneof_decl)
                    proto.oneof_decl.add(name=meta.group)
                field.oneof_index = oneofs[meta.group]
            elif meta.optional and field.type != FieldDescriptorProto.TYPE_MESSAGE:
                optional.append(field)
        # An optional scalar has presence by being alone in a oneof; these come after all others.
        for field in optional:
            field.proto3_optional = True
            field.oneof_index = len(proto.oneof_decl)
            proto.oneof_decl.add(name=f"_{field.name}")

    def _set_type(self, field: FieldDescriptorProto, meta: FieldMetadata, hint: type) -> None:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{meta.proto_type.upper()}")
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            full_name = _full_name(meta.unwrap() if meta.unwrap is not None else hint)
            self.needs[_top_level(full_name)] = None
            field.type_name = f".{full_name}"
        elif field.type == FieldDescriptorProto.TYPE_ENUM:
            self.enums[hint] = None
            field.type_name = f".{_enum_scope(hint)}.{_ENUM}"


_ENTRY: Final = ("key", "value")
_ONE: Final = FieldDescriptorProto.LABEL_OPTIONAL


@functools.cache
def _messages(package: str) -> Mapping[str, Mapping[str, type]]:
    """Import a package of envoy-data-plane and return its messages, by top-level message."""
    try:
        with warnings.catch_warnings():
            # The generated classes use what pydantic has deprecated; users can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module(f"{_LIBRARY}.{package}")
    except ModuleNotFoundError:
        raise KeyError(package) from None
    messages: dict[str, dict[str, type]] = {}
    for full_name, described in _registered():
        if _package(full_name) == package:
            messages.setdefault(_top_level(full_name), {})[full_name] = described
    return messages


def _registered() -> list[tuple[str, type]]:
    """Return every message of envoy-data-plane that has been imported so far."""
    pool = importlib.import_module(f"{_LIBRARY}.message_pool").default_message_pool
    return [(url.rpartition("/")[2], described) for url, described in pool.url_to_type.items()]


def _full_name(described: type) -> str:
    pool = importlib.import_module(f"{_LIBRARY}.message_pool").default_message_pool
    url: str = pool.type_to_url[described]
    return url.rpartition("/")[2]


def _package(full_name: str) -> str:
    """Return the package of a message: packages are lower case, messages are not."""
    parts = full_name.split(".")
    return ".".join(itertools.takewhile(str.islower, parts))


def _top_level(full_name: str) -> str:
    """Return the outermost message around a message."""
    package = _package(full_name)
    return f"{package}.{full_name[len(package) + 1 :].partition('.')[0]}"


def _enum_scope(enum_class: type) -> str:
    return f"{enum_class.__module__.removeprefix(f'{_LIBRARY}.')}.{enum_class.__name__}"


def _proto_name(attribute: str) -> str:
    """Return the name of a field in its .proto file: Python's keywords have got an underscore."""
    bare = attribute.removesuffix("_")
    return bare if keyword.iskeyword(bare) else attribute


def _entry_name(field: str) -> str:
    return "".join(word.capitalize() for word in field.split("_")) + "Entry"
