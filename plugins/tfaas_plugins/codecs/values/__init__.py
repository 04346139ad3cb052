"""Values: what the codecs of nested lists and maps, JSON and msgpack, share."""
