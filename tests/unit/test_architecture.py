"""The shape of the code: who imports whom, how long files are, where keys are spelled."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {"farpool": "producer", "farpool_worker": "worker", "farpool_common": "common"}


def sources() -> Iterator[Path]:
    for package, folder in PACKAGES.items():
        yield from (ROOT / folder / package).rglob("*.py")


def test_no_module_imports_itself_over_others_not_even_inside_functions_or_under_type_checking():
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    in_cycles = {
        module
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if graph.find_shortest_chain(imported, module)
    }
    assert in_cycles == set()


def test_every_file_is_read_in_one_sitting():
    too_long = {path.name: count for path in sources() if (count := len(path.read_text().splitlines())) > 400}
    assert too_long == {}


def test_every_function_is_read_in_a_glance():
    too_long = [
        f"{path.name}: {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or node.lineno) - node.lineno >= 50
    ]
    assert too_long == []


def test_every_module_begins_with_a_sentence_on_what_it_owns():
    silent = [str(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_keys_are_spelled_in_one_module():
    elsewhere = [
        str(path)
        for path in sources()
        if path.name != "keys.py" and any(word in path.read_text() for word in (":wip:", ":job:{", ":queue:{"))
    ]
    assert elsewhere == []


def test_every_script_has_a_header_that_names_its_transition_keys_arguments_and_answer():
    for path in (ROOT / "common/farpool_common/lua").rglob("*.lua"):
        if path.parent.name == "shared":  # what the scripts of a folder have in common
            continue
        shebang, transition, *_ = text = path.read_text().splitlines()
        header = "\n".join(text[:20])
        assert shebang.startswith("#!lua"), path.name
        assert " -> " in transition, path.name
        assert all(word in header for word in ("-- KEYS", "-- ARGV", "-- returns")), path.name


def test_only_settings_modules_read_the_environment():
    allowed = {"cli.py", "connect.py", "settings.py", "serve.py", "errands.py", "worker_process.py", "process_pool.py"}
    allowed |= {"guardian.py", "pool_worker.py", "signing.py", "testing.py"}
    readers = {
        path.name
        for path in sources()
        if "os.environ" in path.read_text() and "cli" not in path.parts and path.name not in allowed
    }
    assert readers <= {"forkserver.py", "template.py", "local_pool.py", "lifeline.py", "server.py"}, readers
