"""Settings in the form of Debian's local_settings.py (openstack-dashboard 23.0.0), and real tables of ss(8)."""

import pytest

SETTINGS = """OPENSTACK_HOST = "{0}"
OPENSTACK_KEYSTONE_URL = "http://%s:5000/v3" % OPENSTACK_HOST
#CACHES = {{
#        'LOCATION': '127.0.0.1:1',
CACHES = {{
    'default': {{
        'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',
        'LOCATION': '{1}:11211',
    }},
}}
"""
TCP = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
LISTENING = (
    "Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
    'tcp LISTEN 0 100 {0}:5000 0.0.0.0:* users:(("uwsgi",pid=291,fd=4))\n'
    'tcp LISTEN 0 1024 {1}:11211 0.0.0.0:* users:(("memcached",pid=292,fd=4))\n'
)
APACHE = "/usr/sbin/apache2 -k start"


def node(processes: str, keystone: str, cache: str, at: str = "0.0.0.0", cache_at: str = "0.0.0.0") -> dict[str, str]:
    return {
        "processes": processes,
        "sockets.tcp": TCP,
        "sockets.listening": LISTENING.format(at, cache_at),
        "horizon.settings /etc/openstack-dashboard/local_settings.py": SETTINGS.format(keystone, cache),
    }


def test_a_memcached_that_listens_elsewhere_is_the_cause(look, running) -> None:
    seen = look(ctl1=node(running(APACHE), "127.0.0.1", "127.0.0.1", cache_at="192.0.2.10"))
    found = seen.findings["horizon.backend.silent"]
    assert (found.keys["backend"], found.keys["target_host"]) == ("memcached", "ctl1")
    assert seen.causes == [("horizon-misconfigured", "ctl1")]


@pytest.mark.parametrize(
    ("keystone", "cache", "command"),
    [("127.0.0.1", "127.0.0.1", APACHE), ("cloud.example.org", "ctl1", APACHE), ("127.0.0.1", "127.0.0.1", "")],
)
def test_what_listens_what_is_not_known_and_what_is_not_served_is_fine(look, running, keystone, cache, command) -> None:
    at = "192.0.2.10" if not command else "0.0.0.0"
    assert look(ctl1=node(running(*filter(None, [command])), keystone, cache, at, at)).findings == {}


def test_the_keystone_of_another_node_is_looked_at_there(look, running) -> None:
    web = node(running(APACHE), "ctl2", "127.0.0.1")
    other = {"processes": running(), "sockets.tcp": TCP, "sockets.listening": LISTENING.split("tcp LISTEN")[0]}
    found = look(web1=web, ctl2=other).findings["horizon.backend.silent"]
    assert (found.keys["backend"], found.keys["target_host"], found.keys["host"]) == ("keystone", "ctl2", "web1")
