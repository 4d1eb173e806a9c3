"""One name for each service, whether it is seen as a process, a systemd unit or a container.

>>> of_unit("openstack-nova-conductor.service"), of_unit("mariadb.service"), of_unit("devstack@n-cpu.service")
('nova-conductor', 'mysql', 'nova-compute')
>>> of_container("nova_conductor"), of_container("openvswitch_vswitchd")
('nova-conductor', 'ovs-vswitchd')
>>> of_command("neutron-server: rpc worker (/usr/bin/python3 /usr/bin/neutron-server --config-file /etc/x)")
'neutron-server'
>>> of_command("/usr/bin/uwsgi_python311 --processes 1 --ini /etc/nova/nova-api-metadata-uwsgi.ini")
'nova-api-metadata'

Names of units: the packages of Debian, Ubuntu and RDO, Kolla (``kolla-X-container.service``), TripleO
(``tripleo_X.service``) and DevStack (``devstack@X.service``, lib/ of devstack).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from stackdoctor.facts.service_aliases import DEVSTACK, SAME

__all__ = ["is_of_the_cloud", "of_command", "of_container", "of_unit"]

_PROJECTS = (
    "aodh barbican blazar ceilometer cinder cloudkitty cyborg designate freezer glance gnocchi heat horizon ironic "
    "keystone kuryr magnum manila masakari mistral murano neutron nova octavia ovn placement sahara senlin solum "
    "swift tacker trove vitrage watcher zaqar zun"
)
_OPENSTACK = re.compile(rf"(?:{'|'.join(_PROJECTS.split())})(?:-[a-z0-9-]{{1,60}})?")

# tools and parts of services, which come and go with what they are called for
_PARTS = re.compile(
    r".*-(?:rootwrap(?:-daemon)?|manage|status|wsgi-script|dbsync|db-manage|policy|upgrade)|glance-replicator"
    r"|swift-(?:init|recon(?:-cron)?|ring-builder|drive-audit|dispersion-[a-z]+|get-nodes|object-info)"
)

_INFRASTRUCTURE: Mapping[str, str] = MappingProxyType(
    {
        "mysqld": "mysql",
        "mariadbd": "mysql",
        "mariadb": "mysql",
        "mysql": "mysql",
        "mariadb-server": "mysql",
        "rabbitmq": "rabbitmq-server",
        "rabbitmq-server": "rabbitmq-server",
        "epmd": "epmd",
        "memcached": "memcached",
        "haproxy": "haproxy",
        "keepalived": "keepalived",
        "dnsmasq": "dnsmasq",
        "libvirtd": "libvirtd",
        "virtqemud": "libvirtd",
        "libvirt-bin": "libvirtd",
        "nova-libvirt": "libvirtd",
        "virtlogd": "virtlogd",
        "tgtd": "tgtd",
        "tgt": "tgtd",
        "iscsid": "iscsid",
        "multipathd": "multipathd",
        "multipath-tools": "multipathd",
        "ovs-vswitchd": "ovs-vswitchd",
        "openvswitch-vswitchd": "ovs-vswitchd",
        "ovsdb-server": "ovsdb-server",
        "openvswitch-db": "ovsdb-server",
        "openvswitch-switch": "openvswitch",
        "openvswitch": "openvswitch",
        "apache2": "apache2",
        "httpd": "apache2",
        "chronyd": "chronyd",
        "chrony": "chronyd",
        "ntpd": "ntpd",
        "ntp": "ntpd",
        "ntpsec": "ntpd",
        "systemd-timesyncd": "systemd-timesyncd",
        "qemu-kvm": "qemu",
        "sshd": "sshd",
        "ssh": "sshd",
        "docker": "docker",
        "dockerd": "docker",
        "redis-server": "redis",
        "redis": "redis",
        "etcd": "etcd",
        "pacemakerd": "pacemaker",
        "pacemaker": "pacemaker",
        "corosync": "corosync",
        "ceph-mon": "ceph-mon",
        "ceph-osd": "ceph-osd",
        "kafka": "kafka",
        "confluent-kafka": "kafka",
        "zookeeper": "zookeeper",
        "confluent-zookeeper": "zookeeper",
    }
)

# groups of mod_wsgi; the title of such a process is no longer than the web server's path, so that most are cut
_WSGI_GROUPS = (
    *("aodh-api", "barbican-api", "cinder-api", "designate-api", "glance-api", "gnocchi-api", "heat-api-cfn"),
    *("heat-api", "horizon", "ironic-api", "ironic-inspector", "keystone", "magnum-api", "manila-api", "masakari-api"),
    *(
        "neutron-api",
        "nova-api",
        "nova-api-metadata",
        "nova-metadata",
        "octavia-api",
        "osdashboard",
        "placement-api",
        "panko-api",
    ),
)

_DECORATION = re.compile(r"^(?:openstack-|tripleo[-_]|kolla-|snap\.[a-z0-9-]+\.)|-container$|@\S*$|_container$")


def _known(name: str) -> str:
    """The service called ``name`` among those of OpenStack and below it; empty if it is neither."""
    name = name.replace("_", "-")
    if service := _INFRASTRUCTURE.get(name) or SAME.get(name):
        return service
    if name.startswith("qemu-system-"):
        return "qemu"
    return name if _OPENSTACK.fullmatch(name) and not _PARTS.fullmatch(name) else ""


def of_unit(unit: str) -> str:
    """The service of a systemd unit; its plain name for those that are neither OpenStack nor below it."""
    name = unit.removesuffix(".service")
    template, at, instance = name.partition("@")
    if at and template == "devstack":
        return DEVSTACK.get(instance) or _known(instance) or instance
    plain = _DECORATION.sub("", name)
    return _known(plain) or plain


def of_container(name: str) -> str:
    """The service of a container called ``name``, as Kolla, TripleO and OpenStack-Ansible call them."""
    plain = _DECORATION.sub("", name)
    return _known(plain) or plain.replace("_", "-")


@lru_cache(8192)  # a node's processes are read for its roles and for its checks, and nodes run the same
def of_command(line: str) -> str:
    """The service that a process with command line ``line`` is; empty for what is none of OpenStack's or below it.

    Wrappers (dumb-init, sudo, a shell) and helpers (rootwrap, privsep) are no services: what they run is
    listed by itself.
    """
    words = line[:4096].split()
    if not words or words[0].startswith("["):
        return ""
    first = words[0]
    # titles that eventlet servers and oslo.service set: "nova-conductor: worker (/usr/bin/python3 ...)"
    if first.endswith(":") or (len(words) > 1 and words[1].startswith("(/")):
        return _known(_polling(words) if first == "ceilometer-polling:" else first.rstrip(":"))
    if first.startswith("(wsgi:"):
        return _of_wsgi_group(first.removeprefix("(wsgi:").rstrip(")"))
    program = first.rpartition("/")[2]
    if program == "ceilometer-polling" or (program.startswith("python") and _script(words[1:]) == "ceilometer-polling"):
        return _known(_polling(words))
    if program == "java":  # its class path is longer than all that is looked at elsewhere
        return next((service for main, service in _JAVA.items() if f" {main}" in line), "")
    if program.startswith("python"):
        script = _script(words[1:])
        return "" if script in _CLIENTS else _known(script)
    if "uwsgi" in program.lower() or (len(words) > 1 and words[1].lower() == "uwsgi"):
        return next((service for name in _uwsgi_names(words) if (service := _known(name))), "")
    if program.startswith("beam"):
        return "rabbitmq-server" if "rabbit" in line else ""
    if program == "haproxy" and "ns-metadata-proxy" in line:
        return "neutron-ns-metadata-proxy"
    return "" if program in _CLIENTS else _known(program)


def _of_wsgi_group(group: str) -> str:
    name = re.sub(r"-ws?g?i?$", "", group.replace("_", "-"))
    if name.startswith("keystone"):  # keystone-public and keystone-admin, cut: (wsgi:keystone-pu, (wsgi:keystone-
        return "keystone"
    whole = next((known for known in _WSGI_GROUPS if len(name) > 3 and known.startswith(name)), "")
    whole = name if name in _WSGI_GROUPS else whole
    return _known(whole) or _known(name)


def _polling(words: list[str]) -> str:
    """The agent that ceilometer-polling is, after the one name space that it polls."""
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option == "--polling-namespaces":
            spaces = value if equals else "".join(words[at + 1 : at + 2])
            spaces = spaces.strip("[]'\",")
            return f"ceilometer-agent-{spaces}" if spaces in ("compute", "central", "ipmi") else "ceilometer-polling"
    return "ceilometer-polling"


def _script(words: list[str]) -> str:
    """The base name of the script among an interpreter's arguments, or the module after ``-m``."""
    for at, word in enumerate(words):
        if word == "-m":
            return words[at + 1].partition(".")[0] if words[at + 1 :] else ""
        if word == "-c":
            return ""
        if not word.startswith("-"):
            return word.rpartition("/")[2].removesuffix(".py")
    return ""


def _uwsgi_names(words: list[str]) -> Iterator[str]:
    """What a uWSGI process may be called after: its title's prefix, its configuration, its application."""
    if words[1:2] and words[1].lower() == "uwsgi":
        yield words[0]
    options = {"--ini", "--yaml", "--json", "--wsgi-file", "--procname-prefix", "--procname-prefix-spaced", "--name"}
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in options:
            path = value if equals else "".join(words[at + 1 : at + 2])
            name = path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]
            yield name.removesuffix("-uwsgi").removeprefix("uwsgi-")


# programs that a person or a probe runs, called as the service that they ask
_CLIENTS = frozenset(("mysql", "mariadb", *_PROJECTS.split())) - {"keystone", "horizon"}

_JAVA = {
    "kafka.Kafka": "kafka",
    "org.apache.zookeeper.server.quorum.QuorumPeerMain": "zookeeper",
    "org.apache.zookeeper.server.ZooKeeperServerMain": "zookeeper",
}

# a cloud node runs without these, or starts them when they are needed
_INCIDENTAL = frozenset(("iscsid", "multipathd", "qemu", "sshd", "docker", "virtlogd", "epmd", "systemd-timesyncd"))


def is_of_the_cloud(service: str) -> bool:
    """Whether ``service`` is one of OpenStack's or one that these cannot do without."""
    return bool(_known(service)) and service not in _INCIDENTAL
