#!/usr/bin/env python3
"""Each check of this folder finds what it is there to find, in a small made-up tree, and is content with a good one."""

import pathlib
import tempfile
import unittest

import docs
import exports
import headers
import layers
import style
import tree
import wrappers


class TreeCase(unittest.TestCase):
    """A test with a tree of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text, mode=0o644):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def assert_one(self, findings, part):
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])


class Text(unittest.TestCase):
    def test_comments_and_strings_are_blanked_and_lines_stay(self):
        source = 'a; // MPI_Put(\n/* one\ntwo */ b("MPI_Get(");\nR"x(MPI_Put(\n)x";'
        plain = tree.without_comments(source)
        self.assertNotIn("MPI", plain)
        self.assertEqual(plain.count("\n"), source.count("\n"))

    def test_a_digit_separator_is_no_character_literal(self):
        self.assertIn("MPI_Put(", tree.without_comments("x = 1'000; MPI_Put(); y = 2'000;"))


class Layers(TreeCase):
    def test_the_table_points_down(self):
        self.assertEqual(layers.table_findings(), [])

    def test_an_include_that_points_down_is_fine(self):
        self.write("src/base/result.hpp", "#include <memory>\n")
        self.write("src/nam/store.hpp", '#include "base/result.hpp"\n')
        self.assertEqual(layers.check(self.root), [])

    def test_an_include_that_points_up_is_found(self):
        self.write("src/win/window.hpp", "")
        self.write("src/base/result.hpp", '\n#  include "win/window.hpp"\n')
        self.assert_one(layers.check(self.root), "src/base/result.hpp:2:")

    def test_mpi_above_the_waterline_is_found_directly_and_through_a_public_header(self):
        self.write("src/nam/store.hpp", "#include <mpi.h>\n")
        self.write("src/structures/a.hpp", '#include "psnam.h"\n')
        self.assertEqual(len(layers.check(self.root)), 2)

    def test_mpi_below_the_waterline_is_fine(self):
        self.write("src/rma/real.hpp", "#include <mpi.h>\n")
        self.assertEqual(layers.check(self.root), [])

    def test_a_commented_include_does_not_count(self):
        self.write("src/base/a.hpp", '// #include "win/window.hpp"\n/*\n#include <mpi.h>\n*/\n')
        self.assertEqual(layers.check(self.root), [])

    def test_a_generated_header_is_fine(self):
        self.write("src/mpi/process.cpp", '#include "psnam_version.hpp"\n')
        self.assertEqual(layers.check(self.root), [])

    def test_an_include_without_its_layer_a_missing_file_and_a_file_in_no_layer_are_found(self):
        self.write("src/base/a.hpp", '#include "b.hpp"\n#include "base/none.hpp"\n')
        self.write("src/helpers/x.hpp", "")
        self.assertEqual(len(layers.check(self.root)), 3)

    def test_a_public_header_that_includes_src_is_found(self):
        self.write("src/base/result.hpp", "")
        self.write("include/psnam.h", '#include <mpi.h>\n#include "base/result.hpp"\n')
        self.assert_one(layers.check(self.root), "include/psnam.h:2:")


class Wrappers(TreeCase):
    def findings(self, name, text):
        self.write(name, text)
        return wrappers.check(self.root)[0]

    def test_a_direct_call_is_found_even_in_src_mpi(self):
        self.assert_one(self.findings("src/mpi/a.cpp", "int f() {\n  return PMPI_Win_free(nullptr);\n}\n"), "a.cpp:2")

    def test_a_call_through_the_table_is_fine(self):
        self.assertEqual(self.findings("src/win/a.cpp", "int f() { return real.Win_free(w) + (MPI_Aint)(1) + MPI_Win_c2f(w); }"), [])

    def test_a_definition_is_fine_in_src_mpi_only(self):
        definition = 'extern "C" int MPI_Put(const void* a) noexcept {\n  return route(a);\n}\n'
        self.assertEqual(self.findings("src/mpi/a.cpp", definition), [])
        self.assert_one(self.findings("src/win/a.cpp", definition), "only src/mpi")

    def test_taking_an_address_is_fine_in_the_table_only(self):
        self.assertEqual(self.findings("src/rma/real.hpp", "auto* p = &PMPI_Put;"), [])
        self.assert_one(self.findings("src/rma/other.hpp", "auto* p = &PMPI_Put;"), "address")

    def test_a_long_wrapper_is_a_warning(self):
        self.write("src/mpi/a.cpp", "int MPI_Put(int a) {\n" + "  a++;\n" * 8 + "}\n")
        findings, warnings = wrappers.check(self.root)
        self.assertEqual(findings, [])
        self.assert_one(warnings, "MPI_Put has 10 lines")


class Style(TreeCase):
    def test_unfinished_words_are_found(self):
        for word in ("TO" + "DO", "FIX" + "ME", "place" + "holder", "For" + " now", "not yet" + " implemented"):
            self.write("src/base/a.cpp", f"// {word}: x\n")
            self.assert_one(style.check(self.root)[0], word)

    def test_words_that_only_look_like_it_are_fine(self):
        self.write("src/base/a.cpp", 'const char* name = "/folder.XXXXXX"; // before nowhere\n')
        self.assertEqual(style.check(self.root)[0], [])

    def test_a_wait_by_time_is_found_in_cpp_and_shell_and_an_exception_with_a_reason_holds(self):
        word = "usle" + "ep"
        self.write("tests/unit/a.cpp", f"void f() {{ {word}(10); }} // {word}(1)\n")
        self.write("tests/mpi/b.sh", "sle" + "ep 5\n")
        self.assertEqual(len(style.check(self.root)[0]), 2)
        self.write("tests/checks/style_exceptions.txt", f"tests/unit/a.cpp {word} the test is about this function\n")
        self.assert_one(style.check(self.root)[0], "b.sh:1")

    def test_an_exception_without_a_reason_is_found(self):
        self.write("tests/checks/style_exceptions.txt", "tests/unit/a.cpp word\n")
        self.assert_one(style.check(self.root)[0], "REASON")

    def test_lengths_are_warnings(self):
        self.write("src/base/a.cpp", "int f() {\n" + "  g();\n" * 45 + "}\n" + "// x\n" * 400)
        findings, warnings = style.check(self.root)
        self.assertEqual(findings, [])
        self.assertEqual(len(warnings), 2, warnings)


class Exports(unittest.TestCase):
    HEADER = "int MPI_Put(void* a) ;\nint MPI_Win_free(int* w);\nint MPI_Send(int a);\nint MPI_Win_brand_new(int a);\n"

    def test_a_window_function_that_the_list_forgets_is_found(self):
        rows, findings = exports.read_list(["# text", "MPI_Put wrapped", "MPI_Win_free passed: because of this test"])
        self.assertEqual(findings, [])
        self.assertEqual(exports.completeness(exports.prototypes(self.HEADER), rows), ["MPI_Win_brand_new of mpi.h is not in the list"])

    def test_a_row_without_a_reason_a_double_row_and_a_strange_name_are_found(self):
        rows, findings = exports.read_list(["MPI_Put passed: because", "MPI_Win_free wrapped", "MPI_Win_free wrapped", "MPI_Gone wrapped"])
        self.assertEqual(len(findings), 2)
        self.assertIn("MPI_Gone of the list is no function of mpi.h", exports.completeness({"MPI_Win_free"}, rows))

    def test_the_library_and_the_version_script_must_match_the_list_exactly(self):
        wrapped = exports.expected_symbols({"MPI_Put": "wrapped", "MPI_Get": "passed"})
        self.assertEqual(wrapped, {"MPI_Put", "PMPI_Put"})
        patterns = exports.map_patterns("/* a: b; */ { global: MPI_Put; PMPI_Put; local: *; };")
        self.assertEqual(exports.compare(wrapped, {"MPI_Put", "PMPI_Put"}, patterns), [])
        self.assertEqual(len(exports.compare(wrapped, {"MPI_Put"}, patterns)), 2)
        self.assertEqual(len(exports.compare(wrapped, {"MPI_Put", "PMPI_Put", "leak"}, patterns)), 1)
        self.assertEqual(len(exports.compare(wrapped, {"MPI_Put", "PMPI_Put"}, patterns | {"MPI_Get"})), 1)
        self.assertEqual(len(exports.compare(wrapped, {"MPI_Put", "PMPI_Put"}, {"MPI_Put"})), 1)

    def test_a_dependency_on_an_mpi_library_is_found(self):
        self.assertEqual(exports.needed_findings(["libc.so.6", "liblmdb.so.0"]), [])
        self.assertEqual(len(exports.needed_findings(["libmpich.so.12", "libmpi.so.40"])), 2)


class Headers(TreeCase):
    def test_a_header_that_needs_another_one_first_is_found(self):
        self.write("src/base/good.hpp", "#pragma once\n#include <string>\nstruct Good { std::string s; };\n")
        self.assertEqual(headers.check(self.root), [])
        self.write("src/base/bad.hpp", "#pragma once\nstruct Bad { std::string s; };\n")
        self.assert_one(headers.check(self.root), "src/base/bad.hpp")

    def test_a_public_header_that_is_not_c_and_one_without_a_guard_are_found(self):
        self.write("include/a.h", "#pragma once\nnamespace a {}\n")
        self.write("include/b.h", "struct b { int x; };\n")
        self.assertEqual(len(headers.check(self.root)), 3)

    def test_what_a_source_of_the_build_includes_first_is_taken_as_compiled_and_needs_its_guard(self):
        self.write("src/base/first.hpp", "struct First { std::string s; };\n")
        self.write("src/base/second.hpp", "#pragma once\nstruct Second { std::string s; };\n")
        self.write("src/base/a.cpp", '// about it\n#include "base/first.hpp"\n\n#include "base/second.hpp"\n')
        self.write("src/base/b.cpp", '#define SETTING\n#include "base/second.hpp"\n')
        self.write("build/compile_commands.json", '[{"directory": "%s/build", "file": "../src/base/a.cpp"}, '
                   '{"directory": "%s/build", "file": "../src/base/b.cpp"}, {"directory": "/", "file": "elsewhere.cpp"}]' % (self.root, self.root))
        sources = headers.compiled_sources(self.root, self.root / "build/compile_commands.json")
        self.assertEqual(headers.first_includes(self.root, sources), {"base/first.hpp"})
        self.assertEqual(["first.hpp has no #pragma once" in finding for finding in headers.check(self.root, sources=sources)], [True, False])


class Docs(TreeCase):
    def test_variables_must_agree_both_ways(self):
        self.write("src/base/options.cpp", '{"PSNAM_STORE", 1}, {"PSNAM_LOG", 2} // "PSNAM_COMMENT"\n')
        self.write("docs/environment.md", "| `PSNAM_STORE` | x |\n| `PSNAM_GONE` | x |\n")
        self.assertEqual(len(docs.variable_findings(self.root)), 2)

    def test_info_keys_must_agree_both_ways(self):
        self.write("src/win/info.hpp", 'k = "psnam_manifestation"; j = "psnam_window_name"; prefix = "psnam_";\n')
        self.write("docs/windows.md", "`psnam_manifestation` and `psnam_manifestatoin`\n")
        self.assertEqual(len(docs.info_findings(self.root)), 2)

    def test_error_classes_must_agree_both_ways(self):
        self.write("src/mpi/errors.cpp", "Row{Code::rank, MPI_ERR_RANK}, Row{Code::size, MPI_ERR_SIZE}")
        self.write("docs/windows.md", "| x | `MPI_ERR_RANK` |\n| y | `MPI_ERR_COUNT` |\n")
        self.assertEqual(len(docs.error_findings(self.root)), 2)

    def test_dead_links_and_missing_headings_are_found(self):
        self.write("a.md", "# One, *two*\n[x](b.md) [y](#one-two) [z](a.md#three) [w](https://example.org/)\n```\n[v](none.md)\n```\n")
        self.assertEqual(len(docs.link_findings(self.root)), 2)

    def test_commands_of_the_readme_must_exist(self):
        self.write("run", "", 0o755)
        self.write("data", "")
        self.write("src/cli/main.cpp", 'app.add_subcommand("list");\n')
        self.write("README.md", "```sh\n./run\n./data\n./none\nnamctl list\nnamctl dance\n```\n")
        self.assertEqual(len(docs.command_findings(self.root)), 3)

    def test_paths_of_a_machine_and_numbers_of_tickets_are_found(self):
        self.write("docs/a.md", "in /wo" + "rk/main, see #" + "12 and is" + "sue 7; colour #a0b1c2, [a](b.md#12)\n")
        self.assertEqual(len(docs.private_findings(self.root)), 3)


if __name__ == "__main__":
    unittest.main()
