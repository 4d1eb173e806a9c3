import pytest

from stackdoctor.facts.horizon import SETTINGS, HorizonSettings, settings_of

KOLLA = 'OPENSTACK_HOST = "192.0.2.5"\nOPENSTACK_KEYSTONE_URL = "http://192.0.2.5:5000"\n'
SEVERAL = """CACHES = {
    'default': {
        'LOCATION': [
            '192.0.2.1:11211',
            "inet6:[2001:db8::1]:11211",
        ],
        'OPTIONS': {'a': '192.0.2.9:1'},
    },
}
"""


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ('OPENSTACK_HOST = "a"\nOPENSTACK_KEYSTONE_URL = "http://%s/identity/v3" % OPENSTACK_HOST\n', []),
        ('OPENSTACK_KEYSTONE_URL = "https://[2001:db8::1]:5000/v3"\n', [("keystone", "2001:db8::1", 5000)]),
        (SEVERAL, [("memcached", "192.0.2.1", 11211), ("memcached", "2001:db8::1", 11211)]),
        ("'LOCATION': '127.0.0.1:11211',\nX = '192.0.2.9:1'\n", [("memcached", "127.0.0.1", 11211)]),
        ("'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'\n", []),
        ("", []),
    ],
)
def test_servers_are_read_off_the_source(text: str, servers: list[object]) -> None:
    assert [entry[:3] for entry in settings_of(text)] == servers


def test_a_later_file_overrides_the_servers_of_a_kind(answer, answered_node) -> None:
    main = answer(SETTINGS, SEVERAL + KOLLA, "/etc/openstack-dashboard/local_settings.py")
    own = answer(SETTINGS, "'LOCATION': '192.0.2.7:11211'\n", "/etc/openstack-dashboard/local_settings.d/_1.py")
    found = HorizonSettings.parse(answered_node(main, own))
    assert [str(b) for b in found] == ["memcached at 192.0.2.7:11211"]
