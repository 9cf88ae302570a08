"""The words of a sentence, as rules compare them: without endings and what says nothing."""

import re
from functools import lru_cache

WORD = re.compile(r"[^\W_]+")
POSSESSIVE = re.compile(r"['’]s\b")
# Two words that mean one.
TIMEOUT = re.compile(r"\btim(?:e|es|ed|ing)[\s-]out(?:s?)\b")
SERVER_ERROR = re.compile(r"5(?:\d\d|xx)s?")
ENDINGS = {
    **{"ies": "y", "ied": "y"},
    **dict.fromkeys(("ings", "ing", "ed", "es", "ly", "s", "e"), ""),
}
SHORTEST_ROOT = 3

# Words of sentences.
GRAMMAR = """
a about again all almost also am an and another any anybody anyone are as at back be because been
before being both but by can cannot completely could did do does doing done during each either
every everybody everyone everything everywhere few for from get gets getting got had has have
having he her here him his how i if in into is it its just keep keeps last like lot many may maybe
me might more most much must my near nearly need never new no nobody none not nothing now of off
on once one only onto or other our out over own people please quite really same seem seems she
should since so some somebody someone something somewhere soon still such than that the their them
then there these they thing things this those through till to today tonight too under until up us
very was we well were what when where which while who whole why will with without would yet you
your
"""
# Words that say only that something is wrong.
FAULTS = """
alert alerts bad broke broken bug bugs burn burning burns crap crazy critical emergency error
errors fail failed failing fails failure failures fault faults fire help incident incidents issue
issues problem problems prod production serious service services stop stopped stopping stops
strange trouble urgent weird work working works wrong
"""
# Words that mean the same of a service; the first stands for all.
SYNONYMS = (
    "outage outages dead down offline unavailable unreachable",
    "slow crawl crawling crawls lag lagging laggy latency slower slowly slowness sluggish",
    "timeout timeouts",
)


def _root(word: str) -> str:
    """A word without its usual ending, so that “processing” and “processed” are one word."""
    if SERVER_ERROR.fullmatch(word):
        return "5xx"
    for ending, replacement in ENDINGS.items():
        cut = word.removesuffix(ending)
        if cut != word and len(cut) >= SHORTEST_ROOT and not word.endswith("ss"):
            word = cut + replacement
            break
    if len(word) > SHORTEST_ROOT and word[-1] == word[-2]:
        return word[:-1]  # “stopped” is “stop”
    return word


SAME = {_root(word): _root(words.split()[0]) for words in SYNONYMS for word in words.split()}
GRAMMAR_WORDS = frozenset(GRAMMAR.split())
INSIGNIFICANT = frozenset(map(_root, (*GRAMMAR.split(), *FAULTS.split())))


@lru_cache(maxsize=10_000)
def _stem(word: str) -> str:
    root = _root(word)
    return SAME.get(root, root)


def plain(text: str) -> tuple[str, ...]:
    """All words in lower case, without punctuation; a hyphen parts words."""
    return tuple(WORD.findall(POSSESSIVE.sub("", text.casefold())))


def significant(text: str) -> frozenset[str]:
    """The stems of the words that say what is wrong, and where."""
    joined = TIMEOUT.sub("timeout", text.casefold())
    return frozenset(map(_stem, plain(joined))) - INSIGNIFICANT
