#!/usr/bin/env python3
"""Layers: an include points down, and only to the layers that the table allows; mpi.h is included below the waterline only."""

import re

import tree

# Folder of src -> the layers it may include, beside itself. The order is from the ground up: an include never points to a
# later row. ARCHITECTURE.md shows the same table.
ALLOWED = {
    "base": [],
    "format": ["base"],
    "trace": ["base"],
    "segments": ["base", "format"],
    "backends": ["base", "format", "trace"],
    # backends: a fused copy is written past the caches by the kernels there.
    "parity": ["base", "format", "backends"],
    "nam": ["base", "format", "trace", "segments", "backends", "parity"],
    "manifestations": ["base", "format", "segments", "backends", "nam"],
    # format: a structure lays regions out as the records that the catalog keeps of them.
    "structures": ["base", "format", "manifestations"],
    "checkpoint": ["base", "format", "parity", "nam"],
    # checkpoint: the table of collectives is there.
    "job": ["base", "format", "nam", "checkpoint"],
    # backends: what moves and combines bytes knows no MPI; rma says it in MPI's words.
    "rma": ["base", "backends", "manifestations", "structures"],
    # rma: real.hpp there is the table of the MPI library's own functions, which a team calls.
    "sync": ["base", "format", "manifestations", "rma"],
    "win": ["base", "format", "trace", "segments", "backends", "nam", "manifestations", "structures", "rma", "sync"],
    # nam: the store is shared with libnam.so in the same process. rma: real.hpp again, which src/mpi fills. Nothing else of
    # these layers is its business.
    "mpi": ["base", "trace", "nam", "rma", "win"],
    # format: as for cli. No win: libnam.so knows no MPI, and nothing of windows.
    "capi": ["base", "format", "backends", "parity", "nam", "checkpoint", "job"],
    "daemon": ["base", "trace", "nam"],
    # format: namctl prints the records that the service hands out.
    # backends: namctl doctor looks whether the fabric can be had.
    # parity, checkpoint: namctl checkpoint looks at what jobs have saved.
    # job: what is asked of a job is put into its record.
    "cli": ["base", "format", "trace", "backends", "parity", "nam", "checkpoint", "job"],
}
BELOW_WATERLINE = ["rma", "sync", "win", "mpi"]
PUBLIC = {"psnam.h": True, "nam.h": False, "nam_ext.h": True, "nam_team.h": False,
          "psnam_checkpoint.h": True, "psnam_checkpoint_team.h": False,
          "psnam_checkpoint.hpp": True,
          "psnam_job.h": True, "psnam_job_team.h": False}  # header of include/ -> whether it includes mpi.h
GENERATED = ["psnam_version.hpp"]  # by the build, from a .in file in src
_SCHEMA_HEADER = ".capnp.h"  # by the build, from the .capnp file of the same name

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def _judge(layer, header, quoted):
    """Why `layer` may not include `header`; None if it may."""
    mpi = header == "mpi.h" or PUBLIC.get(header, False)
    if mpi and layer not in BELOW_WATERLINE:
        return f"<{header}> above the MPI waterline: only {', '.join(BELOW_WATERLINE)} may"
    if not quoted or header in PUBLIC:
        return None
    if header in GENERATED:
        return None
    if "/" not in header or header.startswith("."):
        return f'"{header}": includes are named from src on, "layer/file.hpp"'
    target = header.split("/")[0]
    if target not in ALLOWED:
        return f'"{header}": there is no layer {target}'
    if target != layer and target not in ALLOWED[layer]:
        return f'"{header}": {layer} may include {", ".join(ALLOWED[layer]) or "nothing"} only'
    return None


def check(root):
    """Findings in src and include."""
    findings = []
    for name in tree.files(root, ".hpp", ".cpp", ".h", ".c", under=("src", "include")):
        source = tree.without_comments(tree.text(root, name) or "", keep_strings=True)
        layer = name.parts[1]
        if name.parts[0] == "src" and (len(name.parts) < 3 or layer not in ALLOWED):
            findings.append(f"{name}: lies in no layer of the table")
            continue
        for match in _INCLUDE.finditer(source):
            header, quoted = match[1] or match[2], match[1] is not None
            line = source.count("\n", 0, match.start()) + 1
            if name.parts[0] == "include":
                reason = f'"{header}": a public header includes nothing of src' if quoted and header not in PUBLIC else None
            else:
                reason = _judge(layer, header, quoted)
                source_name = header.removesuffix(".h") if header.endswith(_SCHEMA_HEADER) else header
                if reason is None and quoted and header not in [*PUBLIC, *GENERATED] and not (root / "src" / source_name).is_file():
                    reason = f'"{header}" does not exist'
            if reason:
                findings.append(f"{name}:{line}: {reason}")
    return findings


def table_findings():
    """The table itself: each row points to earlier rows only."""
    rows = list(ALLOWED)
    return [f"table: {row} may include {target}, which is not below it"
            for row, targets in ALLOWED.items() for target in targets
            if target not in rows or rows.index(target) >= rows.index(row)]


if __name__ == "__main__":
    tree.main("layers", __doc__, lambda root: table_findings() + check(root))
