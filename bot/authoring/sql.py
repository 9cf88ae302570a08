"""Recognise the statements about sessions that an action of its own does better than a query."""

import re
from datetime import timedelta

import postgast
from google.protobuf.message import Message
from postgast.pg_query_pb2 import Node, ParseResult, RawStmt, SelectStmt

from bot import durations

COLUMNS = "pid|query_start|duration|datname|state|backend_type|pg_stat_activity"
QUALIFIER = re.compile(rf"\b\w+\.(?=(?:{COLUMNS})\b)")
FROM = r"FROM pg_stat_activity(?: \w+)? WHERE"
COUNT = re.compile(rf"SELECT count\([^()]*\) {FROM} datname = '([^']+)'")
END = re.compile(rf"SELECT (?:pg_catalog\.)?pg_terminate_backend\(pid\) {FROM} (.+)")
DATABASE = re.compile(r"datname = '([^']+)'")
# `duration` counts too: pg_stat_activity has no such column, but runbooks often name it.
LONGER_THAN = re.compile(
    r"(?:\((?:now\(\)|current_timestamp) - query_start\)|duration) > '([^']+)'::interval ?(\w*)"
)
# The conditions that the action end-queries always applies.
IMPLIED_CONDITIONS = (
    *("state = 'active'", "backend_type = 'client backend'"),
    *("pid <> pg_backend_pid()", "pg_backend_pid() <> pid"),
)


def counted_database(tree: Message) -> str | None:
    """The database whose connections a SELECT counts; None if the SELECT is any other."""
    match = COUNT.fullmatch(_canonical(tree))
    return match[1] if match else None


def end_queries_params(tree: Message) -> dict[str, str] | None:
    """The params of the action end-queries for a SELECT of pg_terminate_backend.

    `longer_than` is always among them, `database` if there is such a condition. None for any other
    statement, and for conditions that the action cannot apply.
    """
    statement = END.fullmatch(_canonical(tree))
    params: dict[str, str] = {}
    for condition in statement[1].split(" AND ") if statement else ():
        condition_params = _condition_params(condition)
        if condition_params is None:
            return None
        params |= condition_params
    return params if "longer_than" in params else None


def _canonical(tree: Message) -> str:
    """A SELECT as PostgreSQL would write it, in one line, without the names of tables."""
    if not isinstance(tree, SelectStmt):
        return ""
    statement = RawStmt(stmt=Node(select_stmt=tree))
    return QUALIFIER.sub("", postgast.deparse(ParseResult(stmts=[statement])))


def _condition_params(condition: str) -> dict[str, str] | None:
    """The params for one condition: none for an implied condition; None for an unknown one."""
    if condition in IMPLIED_CONDITIONS:
        return {}
    if database := DATABASE.fullmatch(condition):
        return {"database": database[1]}
    span = LONGER_THAN.fullmatch(condition)
    longer_than = _duration(f"{span[1]} {span[2]}".strip()) if span else None
    return {"longer_than": longer_than} if longer_than else None


def _duration(text: str) -> str | None:
    """An interval as exactly that duration, such as `30 s`; None for one that is no duration."""
    try:
        span = durations.parse(text)
    except ValueError:
        return None
    if not isinstance(span, timedelta):
        return None
    described = durations.describe(span)
    return described if durations.parse(described) == span else text
