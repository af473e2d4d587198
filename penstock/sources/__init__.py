"""
Where the resources come from.

In: a folder; later a Kubernetes API. Out: immutable inputs for the translator, first once, then
whenever they differ. A source tells what is there and judges none of it. `folder` watches and is
imported where something is served; `reader` only reads and is quick to import.
"""

from penstock.sources.reader import FolderReader, FolderReading
from penstock.sources.source import Observation, Outage, Source, SourceEvent

__all__ = ["FolderReader", "FolderReading", "Observation", "Outage", "Source", "SourceEvent"]
