"""Secrets do not leave the node: passwords, tokens and keys are redacted before anything is sent.

What stands around a secret stays as it was: the name, the quotes (JSON remains JSON), the rest of the line.
Every repetition is bounded, so that hostile text costs time in proportion to its length.  What tells that a line has
none needs no ``re``: to import that and to compile patterns takes 5 ms, as long as five commands.
"""

from typing import Any, Callable, Iterable, List, Union

REDACTED = b"<redacted>"
_NAME = (
    rb"(?:passw(?:or)?d|passphrase|passcode|[a-z]_pass|admin_?pass|_pwd|secret|private_key|auth[_-]key|encryption_key"
    rb"|fernet_key|access_key|api_?key|hmac_keys|fixed_key|store_key|shared_?key|psk|kek|erlang_cookie|user_?data|token"
    rb"|sst_auth)(?:_?(?:in|id|key|access_key|hash))?\d{0,2}"
)
_WORD = rb"[^\s\"',;&)}\]\\]{1,4096}"

# name = value, as a whole line or all that a log record says: the value is all the rest of it
_LINE = (
    rb"(?i)((?:^|\] )[ \t]{0,20}(?:export[ \t]{1,5})?[\w.-]{0,60}?" + _NAME + rb"[ \t]{0,20}=[ \t]{0,20})(?![\"'\s]).+"
)
# A quote that ends a string of JSON ("name": "password=", "next") begins no value.
# password=x, X-Auth-Token: x, "password": "x", 'password': b'x', \"password\": \"x\", "password": 1
_ASSIGNED = (
    rb"(?i)(?P<name>" + _NAME + rb")(?P<close>\\{0,3}[\"'])?(?P<sign>[ \t]{0,20}(?:=>|=|:)[ \t]{0,20})"
    rb"(?:[bu]?(?P<quote>\\{0,3}[\"'])(?(close)|(?![}\])]{0,20}(?:\Z|,[ \t\"'{\[])))"
    rb"(?P<quoted>(?:(?!(?P=quote))(?:\\.|[^\\])){1,4096})|(?P<bare>" + _WORD + rb"))"
)
_HEADER = rb"(?i)X-[\w-]{0,30}\Z"
_HARMLESS = frozenset((b"yes", b"no", b"none", b"null", b"true", b"false"))  # "using password: YES" is worth knowing


def followed(names: bytes, ends: bytes) -> bytes:
    """Each of ``names`` with each byte of ``ends`` behind it."""
    return b"|".join(name + ends[at : at + 1] for name in names.split(b"|") for at in range(len(ends)))


_OPTIONS = b"password|passwd|passphrase|secret|token"

# What a line has one of and what it has one of besides, in lower case, where the pattern fits; the pattern, which is
# compiled when such a line comes, as few ever do on a node; and what stays behind the secret.
_OTHERS = (
    # scheme://user:password@host; the password may hold a slash or an at-sign, and a port is none
    (
        b"://",
        b"@",
        rb"(://[^\s:/@,\"']{0,200}:)(?!\d{1,5}(?:[/,?#\\\s]|\Z))[^\s@\"']{1,500}@(?:[^\s@\"',/:]{0,200}@){0,3}",
        b"@",
    ),
    # the further hosts of a transport_url
    (b"@", b",", rb"(,[^\s:/@,\"']{1,200}:)[^\s@,\"']{1,500}@", b"@"),
    (b"iscsi://", b"%", rb"(iscsi://[^\s%@/\"']{1,200}%)[^\s@\"']{1,500}@", b"@"),
    (
        b"pass,|password,|secret,|cookie,",
        b"{",
        rb"(\{\w{0,40}(?:pass|password|secret|cookie),[ \t]{0,5}(?:<<)?\")[^\"\\]{1,4096}",
        b"",
    ),
    (
        b"authorization",
        b"",
        rb"([Aa]uthorization[\"']?[ \t]{0,5}[:=][ \t]{0,5}[\"']?\w{1,20} )[\w+/=.~-]{1,4096}",
        b"",
    ),
    (
        followed(_OPTIONS + b"|setcookie", b" \t"),
        b"-",
        rb"(?i)(--?(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token)|setcookie)[ \t]{1,20})(?!-)" + _WORD,
        b"",
    ),
    (
        b"incominguser|outgoinguser",
        b"",
        rb"((?:incoming|outgoing)user[ \t]{1,20}\S{1,200}[ \t]{1,20})[^\s\"'\\]{1,500}",
        b"",
    ),
    # keepalived, Redis
    (
        b"auth_pass|requirepass|masterauth",
        b"",
        rb"(\b(?:auth_pass|requirepass|masterauth)[ \t]{1,20})[^\s\"'\\]{1,500}",
        b"",
    ),
    # what mysql takes without a space, "CHAP user secret", haproxy, SNMP, swift, cookies of sessions
    (b"mysql", b"-p", rb"(\bmysql\w{0,10}\b[^\n|;]{0,400}?[ \t]-p)(?![ \t])[^\s\"']{1,500}", b""),
    (b"chap |chap\t", b"", rb"(\bCHAP[ \t]{1,20}[^\s\"']{1,200}[ \t]{1,20})[^\s\"']{1,500}", b""),
    (b"stats auth", b":", rb"(\bstats auth[ \t]{1,20}[^\s:]{1,200}:)\S{1,500}", b""),
    (b"community", b"", rb"(\br[ow]community6?[ \t]{1,20})\S{1,500}", b""),
    (b"hash_path_", b"=", rb"(\bswift_hash_path_(?:suffix|prefix)[ \t]{0,20}=[ \t]{0,20})\S{1,500}", b""),
    # programs that take a password as an option or a word of its own
    (
        b"redis-cli|sshpass|ipmitool|ldapsearch|ldapmodify|ldapadd|snmp|docker login|podman login|skopeo login",
        b"-",
        rb"(\b(?:redis-cli|sshpass|ipmitool|ldap(?:search|modify|add)|snmp\w{1,10}"
        rb"|(?:docker|podman|skopeo) login)\b[^\n|;]{0,300}?[ \t]-[apPwAX][ \t]{0,3})[^\s-][^\s\"']{0,500}",
        b"",
    ),
    (
        b"curl",
        b" -u|\t-u|--user",
        rb"(\bcurl\b[^\n|;]{0,400}?[ \t](?:-u|--user)[ \t=]{0,3}[\"']?[^\s:]{1,100}:)[^\s\"']{1,500}",
        b"",
    ),
    (
        b"change_password|add_user|authenticate_user",
        b"",
        rb"(\b(?:change_password|add_user|authenticate_user)[ \t]{1,20}[^\s\"']{1,200}[ \t]{1,20})[^\s\"']{1,500}",
        b"",
    ),
    (b"createuser", b"", rb"(\bcreateUser[ \t]{1,20}\S{1,200}[ \t]{1,20}\w{1,20}[ \t]{1,20})\S{1,500}", b""),
    (
        followed(_OPTIONS, b" \t,=\"'"),
        b"--",
        rb"(?i)(--(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token))[\"']?[ \t,=]{1,5}[bu]?[\"'])[^\"']{1,500}",
        b"",
    ),
    (
        b"passwd",
        b"echo",
        rb"(\becho[ \t]{1,5}(?:-\w[ \t]{1,5})?)[^|]{1,500}(?=\|[ \t]{0,5}(?:sudo )?(?:ch)?passwd)",
        b" ",
    ),
    (b"chpasswd", b":", rb"([\"'\[, ]\w{1,32}:)[^\s\"'\]:,|]{1,500}(?=[\"'\],])", b""),
    # what stands without a sign between name and value, or within brackets
    (
        b"passw|secret|token",
        b"(",
        rb"(\([bu]?[\"']\w{0,40}(?:passw(?:or)?d|secret|token)[\"'],[ \t]{0,5}[bu]?[\"'])[^\"']{1,500}",
        b"",
    ),
    (b"password(", b"", rb"(?i)(\bpassword\([\"'])[^\"']{1,500}", b""),
    # what programs say of one: required, incorrect, expired, not set
    (
        b"password is ",
        b"",
        rb"(\b[Pp]assword is )(?!(?:required|needed|incorrect|wrong|invalid|expired|not|too|empty)\b)\S{1,500}",
        b"",
    ),
    (
        b"password",
        b"user",
        rb"((?:^|\] )[ \t]{0,20}user[ \t]{1,20}\S{1,200}[ \t]{1,20}(?:insecure-)?password[ \t]{1,20})\S{1,500}",
        b"",
    ),
    (
        b"secret|psk",
        b'"',
        rb"(?i)(\b(?:secret|psk)[ \t]{1,5}\")[^\"]{1,500}",
        b"",
    ),
    (b"secret", b";", rb"(\bsecret[ \t]{1,20})[^\s;\"'=:]{4,500}(?=;)", b""),
    (b"auth-pass", b"", rb"(\bauth-pass[ \t]{1,20}\S{1,200}[ \t]{1,20})\S{1,500}", b""),
    (b"pwd=", b"", rb"(\bpwd=)(?!/)[^\s;&\"']{1,500}", b""),
    (b"secret,", b"data=", rb"(\bsecret,[^\s]{0,200}?\bdata=)[^\s,]{1,4096}", b""),
    (
        b"identified",
        b"",
        rb"(?i)(\bIDENTIFIED (?:WITH \S{1,60} )?(?:BY|AS)(?: PASSWORD)? \\{0,3}[\"'])[^\"'\\]{1,500}",
        b"",
    ),
    (
        b"$1$|$5$|$6$|$2a$|$2b$|$2y$|$y$|$apr1$",
        b"",
        rb"()\$(?:1|5|6|2[aby]|y|apr1)\$[\w./$=,-]{16,500}",
        b"",
    ),  # crypt(5)
    (b"/tokens/", b"", rb"(/tokens/)[\w-]{16,4096}", b""),
    (b"token%3", b"", rb"(token%3[Dd])[^\s&%\"']{1,4096}", b""),
    (b"token |token\t|token:|token=", b"", rb"(?i)(\btoken[ \t:=]{1,5}[\"']?)[0-9a-f-]{32,36}\b", b""),
    (
        b"token\":|token':",
        b"{",
        rb"([\"']token[\"']:[ \t]{0,5}\{[^{}]{0,400}?[\"']id[\"']:[ \t]{0,5}[bu]?[\"'])[^\"']{1,4096}",
        b"",
    ),
    (
        b"key |key\t|key:|key=|key\"|key'",
        b"",
        rb"(\bkey[\"']?[ \t]{0,5}[:=][ \t]{0,5}[\"']?)[\w+/]{24,200}={0,2}(?![\w-])",
        b"",
    ),
    (b"cookie:", b"", rb"((?:Set-)?Cookie:[ \t]{0,5})[^\r\n\"']{1,4096}", b""),
    (b"gaaaa", b"", rb"()gAAAA[\w=-]{20,}", b""),  # Fernet
    (b"aq", b"==", rb"()\bAQ[\w+/]{36,38}==", b""),  # Ceph
)
_PRIVATE_KEY = rb"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)(?:[\w+/=\s\\:,.<>]|-(?!----)){1,20000}"
_CHPASSWD = rb"chpasswd:[^\n]{0,200}\n(?:[ \t]{1,40}[^\n]{0,500}(?:\n|\Z)){1,100}"  # of cloud-init
_LOGIN = rb"(?m)^([ \t]{1,40}(?:-[ \t]{1,5})?(?!expire:|list:|users:|name:|type:)[\w.@-]{1,64}:)[^\n]{1,500}"
_ROOTS = tuple(
    b"pass secret token key pwd auth cookie :// @ user gaaaa aq chap community hash_path mysql identified psk kek $"
    b" curl redis-cli ipmitool ldap snmp login".split()
)
"""What a text has one of if it has a secret: only then it is looked at more closely."""


_NAMED = tuple(
    b"pass _pwd secret _key auth-key apikey sharedkey psk kek cookie user_data userdata token sst_auth".split()
)
"""What every _NAME has one of; = or : is between it and the secret."""
_ENDS = tuple(
    b"passwd password passphrase passcode pass _pwd secret key keys psk kek erlang_cookie user_data userdata token"
    b" sst_auth in id hash".split()
)
"""What every _NAME ends in, but for digits."""
_NEEDED = tuple((words.split(b"|"), besides.split(b"|"), pattern, after) for words, besides, pattern, after in _OTHERS)
_ROOTS_OF = {
    word: frozenset(root for root in _ROOTS if root in word)
    for words in (_NAMED, *(words for words, _, _, _ in _NEEDED))
    for word in words
}
_BY_ROOT = {
    root: [number for number, needed in enumerate(_NEEDED) if any(root in _ROOTS_OF[word] for word in needed[0])]
    for root in _ROOTS
}


def redact(data: bytes) -> bytes:
    """``data`` without passwords, tokens, CHAP secrets, keys and the passwords in URLs; the rest of a line stays."""
    lower = data.lower()
    if b"private key" in lower:
        data = replaced(_PRIVATE_KEY, rb"\1" + REDACTED, data)
    roots = [root for root in _ROOTS if root in lower]
    if not roots:
        return data
    if b"chpasswd:" in lower:
        data = replaced(_CHPASSWD, without_words, data)
    named = those_in(lower, _NAMED, roots)
    needed = []
    for number in sorted({number for root in roots for number in _BY_ROOT[root]}):
        words, besides, pattern, after = _NEEDED[number]
        there = those_in(lower, words, roots) if one_in(besides, lower) else []
        if there:
            needed.append((there, besides, pattern, after))
    wanted = named + [word for words, _, _, _ in needed for word in words]
    if not wanted:
        return data
    return b"\n".join(redacted_line(line, wanted, named, needed) for line in data.split(b"\n"))


def those_in(lower: bytes, words: Iterable[bytes], roots: Iterable[bytes]) -> List[bytes]:
    """Those of ``words`` that a text has, of which all the ``roots`` are known that it has."""
    return [word for word in words if not _ROOTS_OF[word].isdisjoint(roots) and word in lower]


def redacted_line(line: bytes, wanted: List[bytes], named: List[bytes], needed: List[Any]) -> bytes:
    """``line`` without secrets.

    ``named`` are the words of _NAMED and ``needed`` what of _NEEDED the whole text has, ``wanted`` all words of both.
    """
    lower = line.lower()
    if not one_in(wanted, lower):
        return line
    if one_in(named, lower) and assigns(lower):
        if b"=" in line:
            line = replaced(_LINE, rb"\1" + REDACTED, line, 1)
        line = replaced(_ASSIGNED, without_value, line)
    for words, besides, pattern, after in needed:
        if one_in(besides, lower) and one_in(words, lower):
            line = replaced(pattern, rb"\1" + REDACTED + after, line)
    return line


def assigns(lower: bytes) -> bool:
    """Whether what may be the end of a _NAME stands before a sign, as it does not in "fernet_tokens/_data: No such"."""
    for sign in (b"=", b":"):
        at = lower.find(sign)
        while at >= 0:
            if lower[max(0, at - 64) : at].rstrip(b" \t\"'\\0123456789").endswith(_ENDS):
                return True
            at = lower.find(sign, at + 1)
    return False


def replaced(pattern: bytes, by: Union[bytes, Callable[[Any], bytes]], text: bytes, most: int = 0) -> bytes:
    """``text`` with what ``pattern`` finds replaced, all or so many."""
    import re

    return re.sub(pattern, by, text, count=most)


def one_in(words: Iterable[bytes], text: bytes) -> bool:
    """Whether ``text`` has one of ``words``: a loop takes half the time of ``any``, and this is asked of each line."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


def without_words(match: Any) -> bytes:
    """The block of cloud-init that has passwords, a line each, without them."""
    return replaced(_LOGIN, rb"\1" + REDACTED, match.group(0))


def without_value(match: Any) -> bytes:
    """One assignment without its value, unless that is no secret."""
    whole: bytes = match.group(0)
    if match.group("quoted"):
        return whole[: match.start("quoted") - match.start()] + REDACTED
    value, close = match.group("bare"), match.group("close") or b""
    if value.lower() in _HARMLESS or (b"=" not in match.group("sign") and value[:1] in b"{[<"):
        return whole
    if match.group("name").lower() == b"token" and match.group("sign").strip() == b":" and not close:
        import re

        # "Unable to validate token: Failed to fetch ..." holds none
        before = match.string[max(0, match.start() - 40) : match.start()]
        if len(value) < 16 and not re.search(_HEADER, before):
            return whole
    kept = whole[: match.start("bare") - match.start()]
    return b"".join((kept, close, REDACTED, close))


def redacted_text(text: str) -> str:
    """``text`` without secrets, and without the lone surrogates that Python makes of bytes that are not UTF-8."""
    return redact(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace") if text else ""
