"""What QIIME 2's framework demands of an archive, checked with Python's own zipfile; prints what was found as JSON.

Source: qiime2/core/archive (archiver.py, format/v0.py to v5.py, provenance_lib/checksum_validator.py).
"""

import hashlib
import json
import re
import sys
import uuid
import zipfile

path = sys.argv[1]
archive = zipfile.ZipFile(path)
assert archive.testzip() is None, "a member's CRC does not match"
names = archive.namelist()
assert len(names) == len(set(names)), "a name stands twice"
roots = {name.split("/")[0] for name in names}
assert len(roots) == 1, roots
root = roots.pop()
assert uuid.UUID(root).version == 4 and str(uuid.UUID(root)) == root, root


def text(name):
    return archive.read(root + "/" + name).decode()


version = text("VERSION")
assert re.fullmatch(r"QIIME 2\narchive: [0-9]{1,2}\nframework: 20[0-9]{2}\.[0-9]{1,2}\.[0-9]\n", version), version
metadata = dict(line.split(": ", 1) for line in text("metadata.yaml").splitlines())
assert list(metadata) == ["uuid", "type", "format"] and metadata["uuid"] == root, metadata
for name in ("VERSION", "metadata.yaml"):
    assert text("provenance/" + name) == text(name), name
for name in ("provenance/citations.bib", "provenance/action/action.yaml"):
    assert root + "/" + name in names, name

stated = dict(reversed(line.split("  ", 1)) for line in text("checksums.md5").splitlines())
found = {
    name[len(root) + 1 :]: hashlib.md5(archive.read(name)).hexdigest()
    for name in names
    if not name.endswith("/checksums.md5") or name.count("/") > 1
}
assert stated == found, set(stated.items()) ^ set(found.items())

action = text("provenance/action/action.yaml")
inputs = re.findall(r"^ +- (?:\w+: )?\"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\"$", action, re.M)
for one in inputs:
    for name in ("VERSION", "metadata.yaml", "action/action.yaml"):
        assert f"{root}/provenance/artifacts/{one}/{name}" in names, (one, name)

data = {name: text(name) for name in found if name.startswith("data/") and not name.endswith(".biom")}
print(json.dumps({"type": metadata["type"], "format": metadata["format"], "inputs": inputs, "action": action,
                  "names": sorted(found), "data": data}))
