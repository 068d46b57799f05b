"""SQL is written once and parameters are bound: no statement is put together from text."""

import ast
from collections.abc import Iterator

import pytest

from core.paths import ROOT

RUN = ("execute", "executemany", "copy_expert", "mogrify", "exec_driver_sql", "execute_values")
WRITTEN = ("sql.SQL", "text")  # what takes a statement as text, of psycopg2 and of SQLAlchemy
MADE_BY_US = {
    # what a statement may be made of that is no text in the same function, and why
    ("loader.py", "COLUMNS[table]"): "a constant of the module",
    ("loader.py", "statement"): "the server's own definition of a key, made by its format(%I)",
    (
        "binary_copy.py",
        "query.rstrip().rstrip(';')",
    ): "a file of sql/, whose parameters mogrify binds",
    ("binary_copy.py", "bound"): "what mogrify bound",
    ("tracker_database.py", "query"): "constants; of two kinds of databases, which bind otherwise",
}
FILES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "alembic").rglob("*.py")]


class Statements:
    """The statements of a function, or of a module outside of its functions, and its names."""

    def __init__(self, file: str, function: ast.AST, known: dict[str, list[ast.AST]]) -> None:
        self.file = file
        self.nodes = list(own_nodes(function))
        self.values = {name: list(one) for name, one in known.items()}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.values.setdefault(node.targets[0].id, []).append(node.value)

    def faults(self) -> Iterator[str]:
        """Each statement that is made of something else than text of the program."""
        for node in self.nodes:
            is_one = isinstance(node, ast.Call) and node.args and takes_a_statement(node.func)
            if is_one and not self.is_ours(node.args[0]):
                yield f"{self.file}, line {node.lineno}: {ast.unparse(node.args[0])}"

    def is_ours(self, node: ast.AST) -> bool:
        """Whether an expression is text of the program, or names that psycopg2.sql quotes."""
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text or (self.file, ast.unparse(node)) in MADE_BY_US:
            return True
        match node:
            case ast.Name(id=name):
                return bool(self.values.get(name)) and all(map(self.is_ours, self.values[name]))
            case ast.JoinedStr(values=parts) | ast.Tuple(elts=parts):
                return all(map(self.is_ours, parts))
            case ast.FormattedValue(value=inner):
                return self.is_ours(inner)
            case ast.Call():
                return self.is_our_call(node)
        return False

    def is_our_call(self, node: ast.Call) -> bool:
        called = ast.unparse(node.func)
        if called in WRITTEN:
            return self.is_ours(node.args[0])
        if called in ("CreateSchema", "DropSchema"):
            return True
        if isinstance(node.func, ast.Attribute):
            where = node.func.value
            if node.func.attr == "read_text":
                return ast.unparse(where).startswith("SQL / '")
            # sql.SQL(...).format takes what psycopg2.sql quotes, and nothing else
            return node.func.attr in ("format", "join", "bindparams") and self.is_quoted(where)
        return False

    def is_quoted(self, node: ast.AST) -> bool:
        """Whether something is a statement of psycopg2 or SQLAlchemy, and not a plain text."""
        if isinstance(node, ast.Name):
            return bool(self.values.get(node.id)) and all(map(self.is_quoted, self.values[node.id]))
        return (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in WRITTEN
            and self.is_ours(node.args[0])
        )


def takes_a_statement(function: ast.AST) -> bool:
    return ast.unparse(function) in WRITTEN or (
        isinstance(function, ast.Attribute) and function.attr in RUN
    )


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    pending = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef):
            pending.extend(ast.iter_child_nodes(node))


def faults(file: str, source: str) -> list[str]:
    if not any(word in source for word in ("psycopg2", "sqlalchemy", "sqlite3", "alembic")):
        return []
    tree = ast.parse(source)
    module = Statements(file, tree, {})
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = [Statements(file, one, module.values) for one in functions]
    return [fault for one in (module, *inner) for fault in one.faults()]


def test_every_statement_of_the_program_is_written_in_it() -> None:
    assert [one for f in FILES for one in faults(f.name, f.read_text(encoding="utf-8"))] == []
    assert sum(file.read_text(encoding="utf-8").count("execute(") for file in FILES) > 20


FORMATTED = [
    'cursor.execute(f"select {user}")',
    'cursor.execute("select %s" % user)',
    'cursor.execute("select " + user)',
    'cursor.execute("select {}".format(user))',
    "cursor.execute(user)",
    'query = f"select {user}"\n    cursor.execute(query)',
    'query = "select 1"\n    query = query + user\n    cursor.execute(query)',
    "cursor.execute(sql.SQL(user).format(sql.Identifier(user)))",
    'cursor.copy_expert(f"copy {user} to stdout", out)',
    "cursor.mogrify(user, {})",
    'connection.execute(text(f"set search_path to {user}"))',
    "cursor.execute(Path(user).read_text())",
]
BOUND = [
    'cursor.execute("select %s", (user,))',
    'cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(user)))',
    'query = "select 1"\n    cursor.execute(query)',
    'made = sql.SQL("drop table {}")\n    cursor.execute(made.format(sql.Identifier(user)))',
    'cursor.execute((SQL / "x.sql").read_text(), {"user": user})',
    "connection.execute(text('select :user'), {'user': user})",
]


@pytest.mark.parametrize("statement", FORMATTED)
def test_a_formatted_statement_is_found(statement: str) -> None:
    assert faults("module.py", f"import psycopg2\ndef f(cursor, user):\n    {statement}\n")


@pytest.mark.parametrize("statement", BOUND)
def test_a_bound_statement_is_not(statement: str) -> None:
    assert not faults("module.py", f"import psycopg2\ndef f(cursor, user):\n    {statement}\n")


def test_the_files_of_queries_bind_by_name_and_run_no_text() -> None:
    files = list((ROOT / "src/sql").glob("*.sql"))
    assert len(files) >= 4
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        written = "\n".join(line.split("--")[0] for line in lines)
        assert "%s" not in written, file  # parameters have names: %(user_id)s
        assert "execute" not in written.lower(), file
