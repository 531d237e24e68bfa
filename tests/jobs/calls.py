"""Every call on windows of every structure, by one job and by two jobs at the same time. calls.py LIBRARY PROGRAM"""

import sys

from jobs import Site

STRUCTURES = [("raw_and_flat", "libnam"), ("managed_contiguous", "pershm"), ("managed_distributed", "mixed")]
ALONE = [1, 2, 3, 4]
TOGETHER = [(1, 1), (2, 1), (1, 3), (2, 2)]


def main(library, program, *_):
    with Site(library) as site:
        for structure, manifestation in STRUCTURES:
            for makers, guests in [(ranks, 0) for ranks in ALONE] + TOGETHER:
                def role(job):
                    return [program, f"job={job}", f"makers={makers}", f"guests={guests}", f"structure={structure}",
                            f"manifestation={manifestation}"]

                print(structure, manifestation, makers, "and", guests, "ranks", flush=True)
                with site.talk(makers, role(0)) as maker:
                    maker.expect("ready")
                    if guests == 0:
                        maker.go_on()
                        maker.finish()
                    else:
                        with site.talk(guests, role(1)) as guest:
                            guest.expect("ready")
                            maker.go_on()
                            guest.go_on()
                            maker.finish()
                            guest.finish()
                assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
