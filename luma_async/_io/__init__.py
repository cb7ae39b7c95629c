"""Acts: sockets, files and time. What to do is decided in `luma_async._sansio`."""
