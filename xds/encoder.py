"""Responses on the wire, joined once for all streams that are sent the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xds.discovery import encode_delta, encode_sotw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xds.exchange import Response

_ENCODE: Final[Mapping[str, Callable[[Response, bytes], bytes]]] = {
    "sotw": encode_sotw,
    "delta": encode_delta,
}
_LARGE: Final = 1024 * 1024
"""Longer messages, in bytes, are not kept: the memory is worth more than the time. To join them
takes longer than others like to wait, and Python lets others run meanwhile."""


class Encoder:
    """
    Encodes responses for all streams of a server.

    After a publication a fleet is sent the same, stream after stream, and those that came together
    count their nonces alike. So the last message of each protocol is kept for the next stream.
    """

    def __init__(self, control_plane: bytes) -> None:
        """
        Begin with nothing kept.

        Args:
            control_plane: What clients are told they are served by, encoded.
        """
        self._control_plane = control_plane
        self._kept: dict[str, tuple[Response, bytes]] = {}
        """By protocol, the last response and its message."""

    @staticmethod
    def is_large(response: Response) -> bool:
        """Tell whether a response is better encoded in another thread than the event loop's."""
        return sum(resource.size for resource in response.resources) > _LARGE

    def encode(self, protocol: str, response: Response) -> bytes:
        """Return a response as a message of a protocol."""
        kept = self._kept.get(protocol)
        if kept is not None and kept[0] == response:
            return kept[1]
        message = _ENCODE[protocol](response, self._control_plane)
        if len(message) <= _LARGE:
            self._kept[protocol] = response, message
        return message
