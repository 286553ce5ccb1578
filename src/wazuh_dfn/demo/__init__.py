"""`wazuh-dfn demo`: the main job on an embedded broker."""
