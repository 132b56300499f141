# SPDX-License-Identifier: BSD-3-Clause
"""What a control socket answers, compared with what GET /v1 says of it."""

PLAIN = {"string": str, "integer": int, "boolean": bool}


class Seen:
    """Which of the described keys there were, to find those that never are."""

    def __init__(self):
        self.keys = set()

    def value(self, place, key, value):
        kind = key["type"]
        if kind in PLAIN:
            assert type(value) is PLAIN[kind], (place, value)
        elif kind == "list of strings":
            assert type(value) is list and all(type(v) is str for v in value), (place, value)
        elif kind == "object":
            self.object(place, key["keys"], value)
        elif kind == "list of objects":
            assert type(value) is list, (place, value)
            for v in value:
                self.object(place + "[]", key["keys"], v)
        else:
            assert kind == "list of such objects, and so on", kind
            assert type(value) is list and all(type(v) is dict for v in value), (place, value)

    def object(self, place, keys, value):
        """Its keys are those described, and each that must be there is."""
        assert type(value) is dict, (place, value)
        known = {k["name"]: k for k in keys}
        others = [k for k in keys if k["name"].startswith("{")]
        for name, v in value.items():
            key = known.get(name) or (others or [None])[0]
            assert key, (place, name, "is not described")
            self.keys.add(f"{place}.{key['name']}")
            self.value(f"{place}.{key['name']}", key, v)
        for k in keys:
            if not k["optional"] and k not in others:
                assert k["name"] in value, (place, k["name"], "is not there")

    def never(self, place, keys):
        """The described keys that no answer had."""
        for k in keys:
            here = f"{place}.{k['name']}"
            if here not in self.keys:
                yield here
            deeper = "[]" if k["type"].startswith("list") else ""
            if k["type"] != "list of such objects, and so on":
                yield from self.never(here + deeper, k.get("keys", []))
