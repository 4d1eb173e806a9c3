"""Programs that active tests run on a node with its own Python (3.6 or later): one file each, standard library only.

Each prints one JSON object, ends by itself, and leaves nothing behind when it is killed.
"""
