"""Telling by its looks that a text is a secret, so that none is stored or shown.

It can't know every secret; it stops what people paste by mistake: access keys, tokens, private
keys, addresses with a password, and the values of this process's own secret variables.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping

_LOOKS = {
    "an access key of Amazon": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a JSON web token": r"\beyJ[\w-]{5,}\.[\w-]{5,}",
    "a token": r"\b(?:gh[pousr]|github_pat|glpat|xox[abp]|hf|sk)[-_][A-Za-z0-9_-]{16,}",
    "an authorization header": r"(?i)\b(?:bearer|basic)\s+\S{6,}",
    "a private key": r"-----BEGIN",
    "an address with a user or password": r"://[^/\s@]*@",
    "an address with a signature": r"(?i)[?&](?:x-amz-[\w-]+|sig|signature|token|password)=",
    "a long hexadecimal number": r"\b[0-9a-fA-F]{32,}\b",
}
_PATTERNS = {what: re.compile(pattern) for what, pattern in _LOOKS.items()}
_SECRET_NAMES = re.compile(r"(?i)token|secret|passw|credential|access_key|api_?key")
# Random letters and digits have more bits a letter than words and paths of that length.
_RANDOM = (
    (re.compile(r"[A-Za-z0-9+=_]{20,}"), 3.7),
    (re.compile(r"(?<![A-Za-z0-9+])[A-Za-z0-9/+]{40}(?![\w/+.-])"), 4.5),  # Amazon's secret keys
)
_SHORTEST = 6


def find_secret(text: str, environment: Mapping[str, str]) -> str | None:
    """Say what secret `text` seems to hold, None if it looks harmless.

    Parameters
    ----------
    text
        What is about to be stored or shown.
    environment
        Variables of this process; the value of one named like a secret is one.
    """
    for what, pattern in _PATTERNS.items():
        if pattern.search(text):
            return what
    for name, value in environment.items():
        is_path = value.startswith(("/", "~", "."))
        secret = _SECRET_NAMES.search(name) and len(value) >= _SHORTEST and not is_path
        if secret and value in text:
            return f"the value of the environment variable {name}"
    words = ((word, bits) for pattern, bits in _RANDOM for word in pattern.findall(text))
    return "a random key" if any(_is_random(word, bits) for word, bits in words) else None


def _is_random(word: str, bits: float) -> bool:
    """Whether `word` mixes small and capital letters and digits, with over `bits` a letter."""
    mixed = all(re.search(letters, word) for letters in ("[a-z]", "[A-Z]", "[0-9]"))
    shares = [count / len(word) for count in Counter(word).values()]
    return mixed and -sum(share * math.log2(share) for share in shares) > bits
