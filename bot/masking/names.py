"""Which names are those of secrets: `DB_PASSWORD` is one, `passwordPolicy` and `max_tokens` not."""

import re
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    """How much a name says about its value."""

    HEADER = "header"  # the rest of the line is the value
    PASSWORD = "password"  # whatever the value is, it may be of several words
    TOKEN = "token"  # as a password, but small numbers are amounts
    CODE = "code"  # some digits
    WEAK = "weak"  # one word, if it looks like a secret
    RANDOM = "random"  # one word, if no person made it


PASSWORD = (
    *("password", "passwort", "passwd", "passphrase", "passcode", "passkey", "kennwort", "pwd"),
    *("contraseña", "contrasena", "senha", "пароль", "密码", "密碼", "パスワード", "wachtwoord"),
    *("motdepasse", "requirepass", "masterauth", "hasło", "heslo", "lozinka", "비밀번호"),
    *("secret", "credential", "privatekey", "cvv", "cvc", "ssn", "mnemonic"),
)
TOKEN = (
    *("token", "apikey", "accesskey", "accountkey", "signingkey", "encryptionkey", "masterkey"),
    *("secretkey", "authkey", "sharedkey", "sharedaccesskey", "sharedaccesssignature", "hmackey"),
    *("sshkey", "webhookkey", "servicekey", "licensekey", "jwt", "sessionid"),
    *("sessionkey", "sessid", "connectionstring", "connectionuri", "clientkey", "appkey"),
    *("deploykey", "storagekey", "integrationkey", "ingestkey", "cryptkey", "presharedkey"),
    *("clientassertion", "samlassertion", "rootpw", "bindpw"),
    *("recoverycode", "backupcode", "seedphrase"),
)
HEADER = ("authorization", "cookie")
CODES = (
    *("securitycode", "verificationcode", "resetcode", "onetimecode", "smscode", "cardcode"),
    *("authcode", "mfacode", "otpcode", "pincode", "onetimepassword"),
)
CODE_WORDS = ("pin", "otp", "totp", "mfa")
# As the last word of a name, or the only one.
WEAK_WORDS = (
    *("pass", "pw", "psw", "auth", "session", "sid", "sig", "dsn"),
    *("bearer", "jsessionid", "phpsessid", "salt", "nonce", "userpwd", "userpass", "dbpass"),
    *("passwords", "creds", "sas", "pat", "signature", "psk"),
)
# What `pass` is a password of, other than `first_pass` or `test pass`.
NO_PASSWORDS = ("bypass", "compass", "trespass", "surpass", "overpass", "underpass", "encompass")
PASS_WORDS = ("pass", "pw")
NO_OWNERS_TEXT = """
first second third fourth last next single multi one two test tests check by per low high
band all render gc compiler optimizer analysis did will may can must to the boarding
"""
NO_OWNERS = frozenset(NO_OWNERS_TEXT.split())
WEAK_ENDINGS = ("passw",)
# A name that ends in one of these is about a secret, and is none.
ABOUT_TEXT = """
name names ref refs reference type kind count counts length len size policy policies url
urls uri path paths file files filename dir directory ttl expiry expires expire expired
expiration expiring in at age lifetime timeout seconds secs minutes ms version status state
required require requires enabled disabled enable disable valid invalid validity validation
validator set unset error errors failure failures failed attempts attempt retries limit
limits usage used budget bucket buckets issuer audience endpoint field fields column columns
manager provider store rotation rotated rotate reset changed change updated update created
create class mode format algorithm alg min max minimum maximum hint strength per rate
missing present exists managed stdin prompt index position exception handler filter service
controller operator mount mounts volume volumes projected review label selector owner scope
scopes list number total page cache host port server method style allowed denied default
defaults encoding not is was has and or with for from namespace annotation annotations
resource quota template templates request requests response tab screen form input box
placeholder title description bits rounds cost based free less protected step steps flow
login check checks checker interval period schedule header headers
"""
ABOUT = frozenset(ABOUT_TEXT.split())
# Keys of data, which often look random too: `cache_key`, `idempotency-key`.
DATA_TEXT = """
s3 gcs blob primary foreign cache partition sort idempotency public object message event group hash
trace redis job request row record kafka dedup dedupe deduplication etag content unique index issue
project node metric label map lock shard entity item search lookup sequence queue order tag
field column parent registry translation
"""
OF_DATA = frozenset(DATA_TEXT.split())
AMOUNTS_TEXT = """
max min total num number count prompt completion input output cached
"""
AMOUNTS = frozenset(AMOUNTS_TEXT.split())
# A file about secrets, such as TokenService.java.
FILES = frozenset(
    ("java", "py", "go", "js", "ts", "rb", "kt", "cs", "php", "rs", "cpp", "scala", "swift")
)
SPLIT = re.compile(r"[^a-z0-9\u00a1-\uffff]+")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Each name of a secret contains one of these, in lower case.
MARKERS = (
    *("pass", "pwd", "secret", "token", "key", "cred", "auth", "cookie", "cvv", "cvc", "session"),
    *("sess", "sid", "sig", "jwt", "dsn", "pin", "otp", "bearer", "code", "connection", "phrase"),
    *("kennwort", "contrase", "senha", "парол", "密", "パスワード", "wachtwoord", "motdepasse"),
    *("hasło", "heslo", "lozinka", "비밀번호", "ssn", "mnemonic", "salt", "nonce", "pw", "mfa"),
    *("sas", "pat", "identified", "basic", "psk", "assertion"),
)


@lru_cache(maxsize=4096)
def kind(name: str) -> Kind | None:
    """What kind of secret has this name, or None; `name` as it is written, with its capitals."""
    words = [word for word in SPLIT.split(CAMEL.sub("_", name).lower()) if word]
    if not words:
        return None
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    joined = "".join(words)
    if joined.endswith(HEADER) or joined.endswith(("setcookie", "cookies")):
        return Kind.HEADER
    if joined.endswith("signature") and "-" in name and not joined.startswith(("xamz", "xgoog")):
        return Kind.HEADER
    if words[-1] in CODE_WORDS or joined.endswith(CODES):
        return Kind.CODE
    if words[-1] in FILES or joined.startswith("existing") or "tokeni" in joined:
        return None
    if words[-1] in ABOUT or joined.endswith(("less", "secretkeyref", "keyref")):
        return None
    if any(word in joined for word in PASSWORD):
        return Kind.PASSWORD
    if any(word in joined for word in TOKEN) and not (words[-1] == "tokens" and _counts(words)):
        return Kind.TOKEN
    if words[-1].endswith("pass") and len(words[-1]) > 4 and words[-1] not in NO_PASSWORDS:
        return Kind.TOKEN
    if words[-1] in PASS_WORDS and len(words) > 1 and words[-2] not in NO_OWNERS:
        return Kind.TOKEN
    if words[-1] in WEAK_WORDS or joined.endswith(WEAK_ENDINGS):
        return Kind.WEAK
    is_key = words[-1] == "key" and len(words) > 1 and words[-2] not in OF_DATA
    is_key = is_key or joined.endswith("routingkey")
    return Kind.RANDOM if is_key else None


def _counts(words: list[str]) -> bool:
    return any(word in AMOUNTS for word in words)
