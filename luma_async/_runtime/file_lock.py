"""A lock on an open file that ends with the file or the process, however that ends."""

import sys

if sys.platform == "win32":

    def lock(descriptor: int) -> None:
        """Do nothing: what another has open cannot be renamed there, which protects it as well."""

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Keep others off.

        Raises:
            BlockingIOError: Somebody else has it.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
