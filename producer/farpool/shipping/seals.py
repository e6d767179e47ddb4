"""Whether values of this process may travel pickled: where it has the key that workers have."""

from collections.abc import Sequence
from types import ModuleType

from farpool_common.sealing import Sealer
from farpool_common.signing import SigningKey, key_here


def sealer_here(pool_key: SigningKey | None = None, ship: Sequence[ModuleType] = ()) -> Sealer | None:
    """What seals and opens values here; None without a key.  `pool_key` is that of a pool on this machine.

    Raises SettingsError for a key that cannot be used.
    """
    key = key_here() or pool_key
    return None if key is None else Sealer(key, ship)
