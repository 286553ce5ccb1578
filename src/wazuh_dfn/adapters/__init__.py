"""The edges: real files, a real broker. The only modules that know asyncio."""
