"""Large buffers by shared memory, between processes of one host that share a private folder."""

from farpool_common.shared.arguments import forget_arguments, map_arguments, open_arguments
from farpool_common.shared.files import SharedFiles, Written
from farpool_common.shared.folder import FOLDER_VARIABLE, SharedFolder, place_of

__all__ = [
    "FOLDER_VARIABLE",
    "SharedFiles",
    "SharedFolder",
    "Written",
    "forget_arguments",
    "map_arguments",
    "open_arguments",
    "place_of",
]
