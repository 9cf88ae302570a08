"""Secrets among the arguments of commands whose options have short names."""

import re

from bot.masking.spans import Spans, Text

# By command: the short options that take a password.
OPTIONS = {
    **dict.fromkeys(("mysql", "mariadb", "mysqldump", "mysqladmin", "mysqlimport"), "p"),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "mycli", "sshpass"), "p"),
    **dict.fromkeys(("login", "7z", "7za", "rar", "unrar", "amqp-publish", "rabbitmqadmin"), "p"),
    **dict.fromkeys(("redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark"), "a"),
    **dict.fromkeys(("sqlcmd", "isql", "tsql", "bcp", "zip", "unzip", "psexec"), "P"),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami", "ldapdelete"), "w"),
    **dict.fromkeys(("openssl", "gpg"), "k"),
    **dict.fromkeys(("ipmitool", "snmpwalk", "snmpget"), "PAX"),
}
OPTION = re.compile(
    r"(?<=[\s\"'\[,])-([pPawkAX])(?:[\"']?,[ \t]*[\"']?|[ \t]*=?[ \t]*)"
    r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|([^\s\"'|;&,\]<>]{1,200}))"
)
COMMAND = re.compile(r"[\w-]+")
USER_OPTION = re.compile(r"\s-(?:u|-user(?:name)?)[ =]?\S")
REACH = 300
# `-p 8080`, `-p 80:80/tcp`, `-p /data`, `-p other-option`
NO_SECRET = re.compile(
    r"[\d.:,/-]+(?:tcp|udp|sctp)?|[./~].*|\$\{?\w+\}?|\$\([^)]*\)|-.*|\*+|\[masked\]?|<[\w -]+>?"
)
USER_AND_PASSWORD = re.compile(
    r"(?<=\s)(?:-u|-U|--user|--proxy-user|--userpwd|--auth|--basic-auth|-a)[ \t=]*[\"']?"
    r"[^\s:\"'=/$]{1,64}[:%]([^\s\"'|]{1,200})"
)
QUOTED_USER = re.compile(
    r"(?<=\s)(?:-u|-U|--user|--proxy-user|--userpwd)[ \t=]*([\"'])[^\s:\"'=/$]{1,64}:"
    r"((?:(?!\1)[^\n]){1,200})\1"
)
FORMS = (
    # echo hunter2 | docker login --password-stdin
    (
        "stdin",
        re.compile(
            r"\becho[ \t]+(?:-n[ \t]+)?[\"']?([^|\"'\n]{1,200}?)[\"']?[ \t]*\|[^|\n]{0,200}stdin"
        ),
    ),
    (
        "stdin",
        re.compile(
            r"\bprintf[ \t]+(?:[\"']?%s[\"']?[ \t]+)?[\"']?([^|\"'\n%]{1,200}?)[\"']?[ \t]*"
            r"\|[^|\n]{0,200}stdin"
        ),
    ),
    (
        "<<<",
        re.compile(r"(?:login|passwd|sudo|cat)\b[^\n<]{0,100}<<<[ \t]*[\"']?([^\s\"'|;]{4,200})"),
    ),
    (
        "value",
        re.compile(
            r"\b(?:put-parameter|put-secret-value|keyvault[ \t]+secret[ \t]+set)\b[^\n|;]{0,200}?"
            r"--(?:value|secret-string)[ \t=]+[\"']?([^\s\"']{1,500})"
        ),
    ),
    (
        "BY",
        re.compile(
            r"\b(?:user|role)[ \t]+\S{1,80}[ \t]+identified[ \t]+by[ \t]+(?:values[ \t]+)?"
            r"([^\s;'\"]{1,200})",
            re.IGNORECASE,
        ),
    ),
    ("rabbitmqctl", re.compile(r"\b(?:change_password|add_user)[ \t]+\S{1,80}[ \t]+(\S{1,200})")),
    ("New value", re.compile(r"assword\b[^\n]{0,80}\n?[ \t]*New value:[ \t]+(\S{1,200})")),
    ("nseal", re.compile(r"\bunseal[ \t]+([\w+/=]{20,200})")),
    ("Key ", re.compile(r"\b(?:Unseal|Recovery) Key \d{1,2}:[ \t]+(\S{16,200})")),
    (
        "mc ",
        re.compile(
            r"\bmc[ \t]+(?:alias[ \t]+set|config[ \t]+host[ \t]+add)"
            r"(?:[ \t]+\S{1,200}){3}[ \t]+(\S{4,200})"
        ),
    ),
    (
        "lftp",
        re.compile(r"\blftp\b[^\n|;]{0,100}?[ \t]-u[ \t]*[\"']?[\w.@-]{1,64},([^\s\"']{1,200})"),
    ),
    ("rdp", re.compile(r"\b\w{0,10}rdp\b[^\n|;]{0,100}?[ \t]/p:[\"']?([^\s\"']{1,200})")),
    (
        "sudo",
        re.compile(
            r"\becho[ \t]+(?:-n[ \t]+)?[\"']?([^|\"'\n]{1,200}?)[\"']?[ \t]*"
            r"\|[ \t]*sudo[^|\n]{0,80}-S"
        ),
    ),
    (
        "chpasswd",
        re.compile(
            r"\becho[ \t]+[\"']?[\w.-]+:([^|\"'\n]{1,200}?)[\"']?[ \t]*\|[^|\n]{0,80}chpasswd"
        ),
    ),
    ("from-literal", re.compile(r"--from-literal[ =][\"']?[\w.-]+=([^\s\"']{1,500})")),
    ("htpasswd", re.compile(r"\bhtpasswd[ \t]+-\w*b\w*[ \t]+\S+[ \t]+\S+[ \t]+([^\s\"']{1,200})")),
    ("htpasswd", re.compile(r"\bhtpasswd[ \t]+-\w*n\w*[ \t]+\S+[ \t]+([^\s\"']{1,200})")),
    ("pass:", re.compile(r"-pass(?:in|out)?[ \t]+[\"']?pass:([^\s\"']{1,200})", re.IGNORECASE)),
    # AUTH hunter2, AUTH user hunter2; but not “AUTH failed: …”, “AUTH <password> called”
    (
        "AUTH",
        re.compile(
            r"(?:^|[\s>\"'])AUTH[ \t]+(?:[\w.-]{1,40}[ \t]+)?[\"']?(?![A-Z ]+\b)"
            r"((?=[A-Za-z]{0,200}[^\sA-Za-z\"':<>])[^\s\"':<>]{4,200}"
            r"|[^\s\"']{4,200}(?=[\"']?[ \t]*(?:\n|$)))"
        ),
    ),
    ("SETUSER", re.compile(r"\bSETUSER[ \t]+\S{1,60}[^\n]{0,80}?[ \t]>(\S{1,200})")),
    ("login", re.compile(r"\blogin[ \t]+\S+[ \t\n]+password[ \t]+(\S{1,200})")),
    ("requirepass", re.compile(r"\b(?:requirepass|masterauth)[ \t]+[\"']?([^\s\"']{1,200})")),
    ("@tcp(", re.compile(r"[\w.-]{1,64}:([^\s\"']{1,200}?)@(?:tcp|unix)\(")),
    # Lines of ~/.pgpass, and the connect strings of Oracle
    (":", re.compile(r"(?m)^[ \t]*[\w.*-]+:(?:\d{4,5}|\*):[\w.*-]+:[\w.*-]+:([^\s:]{1,200})$")),
    (
        "@",
        re.compile(
            r"(?:(?<=thin:)|(?<=oci:)|(?<![\w/:.]))[a-z]\w{1,30}/([^\s/@\"':]{3,60})@(?://)?[\w.-]+[:/][\w.:/-]+",
            re.I,
        ),
    ),
    (
        "@",
        re.compile(
            r"\b(?:sqlplus|impdp|expdp|sqlldr|rman)[ \t]+(?:-\w+[ \t]+){0,4}\w+/([^\s@\"']{1,100})@"
        ),
    ),
    ("net u", re.compile(r"\bnet[ \t]+user?[ \t]+[\w.\\-]+[ \t]+(?!/)(\S{4,100})")),
)


def spans(text: Text) -> Spans:
    """Every argument that is a secret."""
    plain = text.plain
    for marker, form in FORMS:
        if marker in plain:
            yield from (match.span(1) for match in form.finditer(plain) if _is_secret(match[1]))
    if " -" in plain or "-p" in plain or "\n-" in plain:
        yield from _options(text)
        yield from (match.span(2) for match in QUOTED_USER.finditer(plain))
        for match in USER_AND_PASSWORD.finditer(plain):
            if not (match[1].isdigit() or match[1].startswith(("$", "//", "[masked"))):
                yield match.span(1)


def _is_secret(value: str) -> bool:
    return not value.startswith(("$", "[masked", "<", "***"))


def _options(text: Text) -> Spans:
    for match in OPTION.finditer(text.plain):
        group = match.lastindex or 4
        if NO_SECRET.fullmatch(match[group]):
            continue
        begin = max(text.line_start(match.start()), match.start() - REACH)
        before = text.plain[begin : match.start()]
        if _takes_password(before, match[1]) or _has_user(before, match):
            yield match.span(group)


def _takes_password(before: str, option: str) -> bool:
    """Whether a command takes a password with that option."""
    command = re.split(r"[|;&]", before)[-1]
    return any(option in OPTIONS.get(word, "") for word in COMMAND.findall(command))


def _has_user(before: str, match: re.Match[str]) -> bool:
    """Whether an option `-u` names a user before `-p`: then that is a password in any command."""
    return match[1] == "p" and USER_OPTION.search(before) is not None
