"""What must not leave a node, and what must, unchanged."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stackdoctor.collect.agent import secrets
from stackdoctor.collect.agent.secrets import redact, redacted_text

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2+/=\nhunter2\n-----END RSA PRIVATE KEY-----\nafter\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "transport_url = rabbit://nova:hunter2@192.0.2.1:5672,nova:hunter2@192.0.2.2:5672//",
            "transport_url = rabbit://nova:<redacted>@192.0.2.1:5672,nova:<redacted>@192.0.2.2:5672//",
        ),
        ("mysql+pymysql://nova:hunter2@db/nova?charset=utf8", "mysql+pymysql://nova:<redacted>@db/nova?charset=utf8"),
        ("mysql://nova:hunter2/hunter2@hunter2@db/nova", "mysql://nova:<redacted>@db/nova"),
        ("http://u:1hunter2@[2001:db8::1]:80/", "http://u:<redacted>@[2001:db8::1]:80/"),
        ("password = hunter2", "password = <redacted>"),
        ("admin_password=hunter2;(hunter2 hunter2", "admin_password=<redacted>"),
        ("metadata_proxy_shared_secret = hunter2", "metadata_proxy_shared_secret = <redacted>"),
        ("memcache_secret_key = hunter2", "memcache_secret_key = <redacted>"),
        ("ssl_key_password: hunter2", "ssl_key_password: <redacted>"),
        ("node.session.auth.password_in = hunter2", "node.session.auth.password_in = <redacted>"),
        ("OS_PASSWORD=hunter2", "OS_PASSWORD=<redacted>"),
        ("export OS_PASSWORD='hunter2 hunter2'", "export OS_PASSWORD='<redacted>'"),
        ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=<redacted>"),
        ("X-Auth-Token: hunter2", "X-Auth-Token: <redacted>"),
        ('-H "X-Subject-Token: hunter2" -H', '-H "X-Subject-Token: <redacted>" -H'),
        ("Authorization: Bearer hunter2", "Authorization: Bearer <redacted>"),
        ("GET /v3?token=hunter2&x=1", "GET /v3?token=<redacted>&x=1"),
        ("openstack --os-password hunter2 --debug", "openstack --os-password <redacted> --debug"),
        ("openstack --os-password=hunter2 --debug", "openstack --os-password=<redacted> --debug"),
        ("beam.smp -setcookie hunter2 -kernel", "beam.smp -setcookie <redacted> -kernel"),
        ("    incominguser cinder hunter2", "    incominguser cinder <redacted>"),
        ("iscsi://cinder%hunter2@192.0.2.3/iqn.x", "iscsi://cinder%<redacted>@192.0.2.3/iqn.x"),
        (PEM, "-----BEGIN RSA PRIVATE KEY-----<redacted>-----END RSA PRIVATE KEY-----\nafter\n"),
        (PEM[:52], "-----BEGIN RSA PRIVATE KEY-----<redacted>"),
        ('{"password": "hunter2", "x": 1}', '{"password": "<redacted>", "x": 1}'),
        ('{"password": "a\\"hunter2"}', '{"password": "<redacted>"}'),
        ("{'password': u'hunter2', 'x': 1}", "{'password': u'<redacted>', 'x': 1}"),
        ('-d "{\\"password\\": \\"hunter2\\"}"', '-d "{\\"password\\": \\"<redacted>\\"}"'),
        ('{password,<<"hunter2">>}', '{password,<<"<redacted>">>}'),
        ('{default_pass, "hunter2"}', '{default_pass, "<redacted>"}'),
        ("auth_pass hunter2", "auth_pass <redacted>"),
        ("wsrep_sst_auth=sst:hunter2", "wsrep_sst_auth=<redacted>"),
        ("of gAAAAABhunter2AAAAAAAAAAAAAAAA-_== was", "of <redacted> was"),
        ("key = AQhunter2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "key = <redacted>"),
        ("mysqldump -u root -phunter2 nova", "mysqldump -u root -p<redacted> nova"),
        ("discovery auth CHAP cinder hunter2", "discovery auth CHAP cinder <redacted>"),
        ("    stats auth admin:hunter2", "    stats auth admin:<redacted>"),
        ("ldapsearch -x -D cn=admin -w hunter2", "ldapsearch -x -D cn=admin -w <redacted>"),
        ("snmpget -v3 -X hunter2 switch", "snmpget -v3 -X <redacted> switch"),
        ("  ,nova:hunter2@192.0.2.2:5672//", "  ,nova:<redacted>@192.0.2.2:5672//"),
        ("rocommunity hunter2 192.0.2.0/24", "rocommunity <redacted> 192.0.2.0/24"),
        ("swift_hash_path_suffix = hunter2", "swift_hash_path_suffix = <redacted>"),
        ("Set-Cookie: sessionid=hunter2; path=/", "Set-Cookie: <redacted>"),
        ('{"adminPass": "hunter2"}', '{"adminPass": "<redacted>"}'),
    ],
)
def test_a_secret_vanishes_and_what_is_around_it_stays(text: str, left: str) -> None:
    assert redact(text.encode()).decode() == left
    assert redact(left.encode()).decode() == left


@pytest.mark.parametrize(
    "text",
    [
        "Timed out waiting for a reply to message ID 5f0f3c1c9a0e4a6db9b1e8d5a2a0c3b1",
        '"password_expires_at": null',
        '"password_expires_at": "2026-11-22T00:00:00"',
        "Truncating password to algorithm specific maximum length 72 characters.",
        "Access denied for user 'nova'@'192.0.2.1' (using password: YES)",
        "keystonemiddleware.auth_token [-] Unable to validate token: Failed to fetch token data from identity server",
        '"methods": ["password", "token"]',
        '{"token": {"methods": []}, "secret": null, "password": false}',
        "rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337",
        "token_ttl = 3600",
        "auth_url = http://192.0.2.1:5000/v3",
        "http://192.0.2.1:5000/v3/users/x@example.com",
        "http://[2001:db8::1]:9696/v2.0/ports",
        "AMQP server on 192.0.2.1:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 1 seconds.",
        "transport_url = rabbit://guest@192.0.2.1:5672/",
        "PWD=/root",
        '-A neutron-linuxbri-i1 -p udp -m udp --sport 67 --dport 68 -m comment --comment "user: a" -j RETURN',
        ":PREROUTING ACCEPT [123:4567]\n-A POSTROUTING -s 192.0.2.0/24 ! -d 192.0.2.0/24 -j MASQUERADE\nCOMMIT",
        json.dumps([{"ifname": "eth0", "flags": ["UP"], "link": "b0", "addr_info": [{"local": "2001:db8::1"}]}]),
        "",
    ],
)
def test_what_is_no_secret_is_unchanged(text: str) -> None:
    assert redact(text.encode()) == text.encode()


WORDS = st.sampled_from(
    ["password", "secret", "token: x", "u://a:b@c", "=", "x", "'", '"', "{", " ", "\\", "--password y"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.lists(WORDS, max_size=3).map("".join),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["password", "a_secret", "auth_token", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@example({"password": None, "name": "password="})
@example([{"name": "password="}, {"name": "x"}, "y"])
@given(VALUES.filter(lambda value: "'" not in json.dumps(value)))
def test_json_stays_json(value: object) -> None:
    json.loads(redact(json.dumps(value).encode()))


@given(st.binary(max_size=80))
def test_any_bytes_are_taken(data: bytes) -> None:
    redact(b"password=" + data + b"://a:" + data)


def test_text_comes_out_as_text_that_can_be_written() -> None:
    assert redacted_text("caf\udce9 --password x") == "caf\ufffd --password <redacted>"


def fitting(pattern: bytes) -> st.SearchStrategy[bytes]:
    """Texts in which ``pattern`` finds something."""
    return st.from_regex(re.compile(pattern.decode(), re.ASCII)).map(lambda text: text.encode("utf-8", "replace"))


IMPLIED = [needed for needed in secrets._NEEDED if needed[0] != [b"chpasswd"]]  # its list looks like many another


@pytest.mark.parametrize("needed", IMPLIED, ids=lambda needed: needed[0][0].decode())
@settings(max_examples=20)
@given(data=st.data())
def test_what_a_pattern_fits_has_the_words_without_which_it_is_not_tried(needed: Any, data: st.DataObject) -> None:
    words, besides, pattern, _ = needed
    found = data.draw(fitting(pattern)).lower()
    assert any(word in found for word in besides)
    assert any(word in found for word in words)


NAMES = """passwd password passphrase passcode db_pass admin_pass adminpass os_pwd secret private_key auth-key auth_key
encryption_key fernet_key access_key apikey api_key hmac_keys fixed_key store_key sharedkey shared_key psk kek
erlang_cookie userdata user_data token sst_auth"""


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize(
    "form", ["{} = hunter2", '{{"{}": "hunter2"}}', "x; {}=hunter2; y", "at 12 {}: hunter2hunter2hunter2"]
)
def test_every_name_of_a_secret_is_known(name: str, form: str) -> None:
    for written in (name, name.upper()):
        assert b"hunter2" not in redact(form.format(written).encode())


@given(fitting(secrets._ASSIGNED) | fitting(secrets._LINE))
def test_what_is_assigned_has_the_words_without_which_it_is_not_looked_for(found: bytes) -> None:
    assert secrets.assigns(found.lower())
    assert any(word in found.lower() for word in secrets._NAMED)


def test_every_word_that_is_looked_for_has_one_of_the_roots_that_are_looked_for_first() -> None:
    assert [word for word, roots in secrets._ROOTS_OF.items() if not roots] == []
