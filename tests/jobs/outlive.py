"""A window outlives its job: producer of 4 ranks, readers, writers and removers of other sizes. outlive.py LIBRARY PROGRAM"""

import sys

from jobs import Site


def main(library, program, *_):
    with Site(library) as site:

        def role(name, ranks, **arguments):
            texts = [f"{key}={value}" for key, value in {"folder": site.folder, **arguments}.items()]
            site.expect(ranks, [program, f"--gtest_filter=Every/{name}.*", *texts])
            print(f"{name} with {ranks} ranks: done")

        role("Producer", 4)
        for ranks in (1, 2, 3):
            role("Reader", ranks, salt=1)
        role("Writer", 3)
        role("Reader", 2, salt=2)
        # 3 cases each of: one file (raw and flat, contiguous) and three files (4 ranks, one without memory).
        files = len(site.files())
        assert files == 3 + 3 + 9, f"{files} files"
        role("Remover", 2)
        assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
