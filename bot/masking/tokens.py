"""Tokens that are known by their form: those of vendors, JSON web tokens, hashes of passwords.

The forms are what the vendors document. A rule is tried only where its marker is in the text, and
none of them can backtrack far, so the time is linear.
"""

import re

from bot.masking.spans import Spans, Text

# By marker: a part of each token that is rare elsewhere.
FORMS = {
    # Cloud providers
    "AKIA": r"AKIA[A-Z0-9]{16}",
    "ASIA": r"ASIA[A-Z0-9]{16}",
    "ABIA": r"ABIA[A-Z0-9]{16}",
    "ACCA": r"ACCA[A-Z0-9]{16}",
    "ABSK": r"ABSK[A-Za-z0-9+/]{40,}={0,2}",
    "FwoGZXIvYXdz": r"FwoGZXIvYXdz[\w+/%-]{16,}={0,2}",
    "IQoJb3JpZ2lu": r"IQoJb3JpZ2lu[\w+/%-]{16,}={0,2}",
    "amzn.mws.": r"amzn\.mws\.[0-9a-f-]{32,40}",
    "AIza": r"AIza[\w-]{30,}",
    "ya29.": r"ya29\.[\w.-]{16,}",
    "GOCSPX-": r"GOCSPX-[\w-]{16,}",
    "1//0": r"(?<![\w/])1//0[\w-]{20,}",
    "Q~": r"[\w~.]{3,4}\dQ~[\w~.-]{30,40}",
    "JQQJ99": r"[A-Za-z0-9]{20,60}JQQJ99[A-Za-z0-9]{16,}",
    "AZDO": r"[A-Za-z0-9]{60,80}AZDO[A-Za-z0-9]{4}",
    "LTAI": r"LTAI[A-Za-z0-9]{12,30}",
    "AKID": r"AKID[A-Za-z0-9]{20,40}",
    "AQVN": r"AQVN[\w-]{30,}",
    "do": r"do[opr]_v1_[0-9a-f]{32,}",
    "dapi": r"dapi[0-9a-f]{32}(?:-\d)?",
    "HRKU-": r"HRKU-[\w-]{30,}",
    "tskey-": r"tskey-[\w-]{12,}",
    "v1.0-": r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}",
    "pscale_": r"pscale_[a-z]+_[\w.=-]{16,}",
    "rnd_": r"(?<![A-Za-z0-9])rnd_[A-Za-z0-9]{28,}",
    "sl.": r"(?<![\w.])sl\.[\w-]{60,}",
    "sbp_": r"sbp_[0-9a-f]{40}",
    "sb_secret_": r"sb_secret_[\w-]{16,}",
    "fo1_": r"fo1_[\w-]{30,}",
    "nfp_": r"nfp_\w{30,}",
    "FlyV1 ": r"FlyV1 fm\d\w?_[\w+/=,-]{20,}",
    # Source code and packages
    "gh": r"gh[pousr]_[A-Za-z0-9]{16,}",
    "github_pat_": r"github_pat_\w{16,}",
    "gl": r"gl(?:pat|ptt|dt|rtr?|cbt|ft|imt|agent|oas|soat|ffct|wt)-[\w.-]{16,}",
    "GR1348941": r"GR1348941[\w-]{16,}",
    "npm_": r"npm_[A-Za-z0-9]{30,}",
    "pypi-": r"pypi-Ag[\w-]{16,}",
    "rubygems_": r"rubygems_[0-9a-f]{32,}",
    "oy2": r"(?<![A-Za-z0-9])oy2[a-z0-9]{43}(?![A-Za-z0-9])",
    "dckr_": r"dckr_[po]at_[\w-]{16,}",
    "AKCp": r"AKCp[A-Za-z0-9]{10,}",
    "cmVmdGtu": r"cmVmdGtu[A-Za-z0-9]{40,}",
    "ATATT3": r"ATATT3[\w=-]{20,}",
    "ATCTT3": r"ATCTT3[\w=-]{20,}",
    "ATBB": r"ATBB[A-Za-z0-9]{20,}",
    "CCIPAT_": r"CCIPAT_\w{20,}",
    "CCIPRJ_": r"CCIPRJ_\w{20,}",
    "bkua_": r"bkua_[0-9a-f]{30,}",
    "sgp_": r"sgp_\w{30,}",
    "sq": r"(?<![A-Za-z0-9])sq[pua]_[0-9a-f]{40}",
    "CFPAT-": r"CFPAT-[\w-]{40,}",
    "figd_": r"figd_[\w-]{20,}",
    "PMAK-": r"PMAK-[0-9a-f-]{30,}",
    # Chat, mail and phone
    "xox": r"xox[a-z](?:\.xox[a-z])?-[\w-]{8,}",
    "xapp-": r"xapp-[\w-]{8,}",
    "hooks.slack.com/": r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{10,}",
    "/api/webhooks/": r"(?<=/api/webhooks/)\d{10,}/[\w-]{20,}",
    "outlook.office.com/webhook/": r"(?<=office\.com/webhook/)[^\s\"'<>|]{20,}",
    "webhook.office.com/": r"(?<=webhook\.office\.com/)[^\s\"'<>|]{20,}",
    ":AA": r"(?<!\d)\d{8,10}:AA[\w-]{30,40}",
    "SG.": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "key-": r"(?<![\w-])key-[0-9a-f]{32}(?![0-9a-f])",
    "-us": r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\d)",
    "SK": r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9a-f])",
    "re_": r"(?<![A-Za-z0-9_])re_[A-Za-z0-9]{8,24}_[A-Za-z0-9]{20,}",
    "xkeysib-": r"xkeysib-[\w-]{30,}",
    "xsmtpsib-": r"xsmtpsib-[\w-]{30,}",
    # Payment and shops
    "_live_": r"(?:(?:sk|rk|pk|rzp)_live_[A-Za-z0-9]\w{7,}"
    r"|[a-z]{2,8}_live_(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{8}\w*)",
    "_test_": r"(?<![A-Za-z])(?:sk|rk|pk|rzp|shippo|duffel)_test_\w{8,}",
    "_prod_": r"(?:sk|rk|pk)_prod_\w{8,}",
    "whsec_": r"whsec_[\w+/=]{8,}",
    "shp": r"shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{32}",
    "sq0": r"sq0[a-z]{3}-[\w-]{20,}",
    "EZ": r"EZ[AT]K[A-Za-z0-9]{50,}",
    "EAAA": r"EAAA[\w-]{40,}",
    "EAAC": r"EAAC[\w]{60,}",
    "access_token$": r"access_token\$[a-z]+\$[0-9a-z]+\$[0-9a-f]{32}",
    "FLWSECK": r"FLWSECK[_-][\w-]{12,}",
    # Secrets of infrastructure, monitoring and models
    "hv": r"hv[sbr]\.[\w-]{8,}",
    "s.": r"(?<![\w./-])s\.[A-Za-z0-9]{24}(?![\w./-])",
    ".atlasv1.": r"[A-Za-z0-9]{10,20}\.atlasv1\.[\w-]{40,}",
    "dp.": r"(?<![\w.])dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{20,}",
    "pul-": r"pul-[0-9a-f]{40}",
    "eyJrIjoi": r"eyJrIjoi[\w=-]{20,}",
    "glsa_": r"glsa_[\w-]{30,}",
    "glc_": r"glc_[\w+/=-]{30,}",
    "NR": r"NR(?:AK|JS|II|RA|AA|IQ)-[\w-]{16,}",
    "sntry": r"sntry[su]_[\w+/=-]{20,}",
    "dt0": r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{60,}",
    "lin_": r"lin_(?:api|oauth)_\w{20,}",
    "secret_": r"(?<![A-Za-z0-9])secret_[A-Za-z0-9]{40,}",
    "ntn_": r"ntn_[A-Za-z0-9]{30,}",
    "pat": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "AGE-SECRET-KEY-": r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",
    "ops_eyJ": r"ops_eyJ[\w+/=-]{40,}",
    "A3-": r"(?<![\w-])A3-[A-Z0-9]{6}-[A-Z0-9-]{20,40}",
    "sk-": r"(?<![A-Za-z0-9])sk-(?=[\w-]{0,80}\d)[A-Za-z0-9][\w-]{19,}",
    "phx_": r"phx_[A-Za-z0-9]{32,}",
    "nvapi-": r"nvapi-[\w-]{40,}",
    "hf_": r"hf_[A-Za-z0-9]{30,}",
    "gsk_": r"gsk_[A-Za-z0-9]{30,}",
    "r8_": r"r8_[A-Za-z0-9]{30,}",
    "pplx-": r"pplx-[A-Za-z0-9]{30,}",
    "xai-": r"xai-[A-Za-z0-9]{40,}",
    "sandbox-token-": r"sandbox-token-\w+",
    # Tokens of Discord, which look like JSON web tokens
    ".": r"(?<![\w.-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w.-])",
    # Hashes of passwords, as databases and /etc/shadow have them
    "$2": r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,}",
    "$argon2": r"\$argon2[id]{1,2}\$[\w$=,+/.-]{20,}",
    "pbkdf2_sha": r"pbkdf2_sha\d{1,3}\$\d{1,9}\$[\w./+]{1,60}\$[\w./+]{20,}={0,2}",
    "scrypt:": r"scrypt:\d+:\d+:\d+\$\w{1,60}\$[0-9a-f]{60,}",
    "md5": r"(?<![A-Za-z0-9])md5[0-9a-f]{32}(?![A-Za-z0-9])",
    "*": r"(?<![A-Za-z0-9])\*[0-9A-F]{40}(?![A-Za-z0-9])",
    "aad3b435b51404ee": r"aad3b435b51404eeaad3b435b51404ee:[0-9a-f]{32}",
    "$pbkdf2": r"\$pbkdf2[\w$=,+/.-]{20,}",
    "$1$": r"\$1\$[./\w]{1,16}\$[./\w]{20,}",
    "$5$": r"\$5\$[./\w=$]{1,40}\$[./\w]{30,}",
    "$6$": r"\$6\$[./\w=$]{1,40}\$[./\w]{30,}",
    "$y$": r"\$y\$[./\w]{1,10}\$[./\w]{1,90}\$[./\w]{30,}",
    "$apr1$": r"\$apr1\$[./\w]{1,16}\$[./\w]{20,}",
    "SCRAM-SHA-": r"SCRAM-SHA-\d+\$[\w$=:+/]{20,}",
    "SHA}": r"\{S?SHA\}[\w+/]{20,}={0,2}",
}
PATTERNS = {marker: re.compile(form, re.ASCII) for marker, form in FORMS.items()}

# A line that is one long word, after a line that ended with a token.
REST = re.compile(r"\n[ \t]*([A-Za-z0-9_]{8,}+)(?=\n|$)")
WEB_TOKEN_IN_LINES = re.compile(
    r"eyJ[\w-]{6,300}+\.\n[ \t]*[\w-]{6,2000}+\.(?:\n[ \t]*[\w-]{6,}+)?"
)
# A secret key of AWS, which has no mark of its own: 40 characters of base64 in a row.
AWS_SECRET = re.compile(r"(?<![A-Za-z0-9+/._-])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=_-]|\.\w)")
AWS_SECRET_LENGTH = 40
# JSON web tokens, signed or encrypted. To try one at each letter of a long word would be slow.
DOTTED = re.compile(r"(?<![\w-])[\w-]{9,}+\.[\w-]{6,}+(?:\.[\w-]*+){0,4}")
# A key of Azure Storage, and others of 64 bytes. Checksums of that length say so before it.
LONG_KEY = re.compile(r"(?<![A-Za-z0-9+/=])(?<!sha512[-:=])[A-Za-z0-9+/]{86}==(?!=)")
# Of 39 neighbours in a key by chance, some 24 are of different kinds; in a path some 8 are.
FEWEST_CHANGES = 13
CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9+/])|(?<=[A-Z])(?=[a-z0-9+/])|(?<=[0-9+/])(?=[A-Za-z])")
WORDS = re.compile(r"[A-Z]?[a-z]{4,}|[A-Z]{5,}")


def spans(text: Text) -> Spans:
    """Every token."""
    plain = text.plain
    for marker, pattern in PATTERNS.items():
        if marker in plain:
            yield from _with_rest(plain, (match.span() for match in pattern.finditer(plain)))
    if "eyJ" in plain:
        yield from _with_rest(plain, _web_tokens(plain))
    if text.longest_word >= AWS_SECRET_LENGTH:
        for match in AWS_SECRET.finditer(plain):
            if _is_random(match.group()):
                yield match.span()
    if "==" in plain:
        yield from (match.span() for match in LONG_KEY.finditer(plain))


def _with_rest(plain: str, found: Spans) -> Spans:
    """Each token, and what is left of it on the next line where it was broken."""
    for begin, end in found:
        yield (begin, end)
        rest = REST.match(plain, end)
        if rest and any(map(str.isdigit, rest[1])) and any(map(str.isalpha, rest[1])):
            yield rest.span(1)


def _web_tokens(plain: str) -> Spans:
    for match in DOTTED.finditer(plain):
        begin = plain.find("eyJ", *match.span())
        if begin >= 0 and "." in plain[begin : match.end()]:
            yield (begin, match.end())
    yield from (match.span() for match in WEB_TOKEN_IN_LINES.finditer(plain))


def _is_random(word: str) -> bool:
    """Whether no person made the word: all kinds of letters change all the time, unlike a path."""
    if not (any(map(str.isdigit, word)) and word.lower() != word and word.upper() != word):
        return False
    named = sum(len(part) for part in WORDS.findall(word))
    return named <= len(word) // 2 and len(CHANGE.findall(word)) >= FEWEST_CHANGES
