"""
The world around a control plane, for tests: a real Envoy, backends, a client, the program itself.

Everything listens on loopback, on ports that the system chooses, and ends with its `with` block;
processes are ended by their id.
"""

from support.ads import Ads
from support.client import Answer, Client, fetch
from support.control_plane import ControlPlane
from support.envoy import ROOT, RealEnvoy, bootstrap
from support.files import delete, save
from support.processes import EndedError, Process, free_port
from support.relay import Relay
from support.waiting import wait_until

__all__ = [
    "ROOT",
    "Ads",
    "Answer",
    "Client",
    "ControlPlane",
    "EndedError",
    "Process",
    "RealEnvoy",
    "Relay",
    "bootstrap",
    "delete",
    "fetch",
    "free_port",
    "save",
    "wait_until",
]
