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
from types import MappingProxyType

__all__ = ["is_of_the_cloud", "of_command", "of_container", "of_unit"]

_PROJECTS = (
    "aodh barbican blazar ceilometer cinder cloudkitty cyborg designate freezer glance gnocchi heat horizon ironic "
    "keystone kuryr magnum manila masakari mistral murano neutron nova octavia ovn placement sahara senlin solum "
    "swift tacker trove vitrage watcher zaqar zun"
)
_OPENSTACK = re.compile(rf"(?:{'|'.join(_PROJECTS.split())})(?:-[a-z0-9-]{{1,60}})?")

# tools and parts of services, which come and go with what they are called for
_PARTS = re.compile(r".*-(?:rootwrap(?:-daemon)?|manage|status|wsgi-script|dbsync|db-manage|policy)|glance-replicator")

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
    }
)

_DEVSTACK: Mapping[str, str] = MappingProxyType(
    {
        "n-api": "nova-api",
        "n-api-meta": "nova-api-metadata",
        "n-cpu": "nova-compute",
        "n-cond": "nova-conductor",
        "n-super-cond": "nova-conductor",
        "n-cond-cell1": "nova-conductor",
        "n-sch": "nova-scheduler",
        "n-novnc": "nova-novncproxy",
        "q-svc": "neutron-server",
        "q-agt": "neutron-openvswitch-agent",
        "q-dhcp": "neutron-dhcp-agent",
        "q-l3": "neutron-l3-agent",
        "q-meta": "neutron-metadata-agent",
        "c-api": "cinder-api",
        "c-sch": "cinder-scheduler",
        "c-vol": "cinder-volume",
        "c-bak": "cinder-backup",
        "g-api": "glance-api",
        "h-api": "heat-api",
        "h-eng": "heat-engine",
    }
)

# names that distributions and deployment tools differ in
_SAME: Mapping[str, str] = MappingProxyType(
    {
        "keystone-pub": "keystone",
        "keystone-public": "keystone",
        "keystone-admin": "keystone",
        "keystone-main": "keystone",
        "keystone-wsgi-public": "keystone",
        "keystone-wsgi-admin": "keystone",
        "nova-api-wsgi": "nova-api",
        "nova-api-os-compute": "nova-api",
        "nova-metadata": "nova-api-metadata",
        "nova-metadata-wsgi": "nova-api-metadata",
        "nova-metadata-api": "nova-api-metadata",
        "cinder-wsgi": "cinder-api",
        "placement": "placement-api",
        "glance-wsgi-api": "glance-api",
        "neutron-plugin-linuxbridge-agent": "neutron-linuxbridge-agent",
        "neutron-plugin-openvswitch-agent": "neutron-openvswitch-agent",
        "neutron-ovs-agent": "neutron-openvswitch-agent",
        "neutron-dhcp": "neutron-dhcp-agent",
        "ovn-metadata-agent": "neutron-ovn-metadata-agent",
    }
)

_DECORATION = re.compile(r"^(?:openstack-|tripleo[-_]|kolla-|snap\.[a-z0-9-]+\.)|-container$|@\S*$|_container$")


def _known(name: str) -> str:
    """The service called ``name`` among those of OpenStack and below it; empty if it is neither."""
    name = name.replace("_", "-")
    if service := _INFRASTRUCTURE.get(name) or _SAME.get(name):
        return service
    if name.startswith("qemu-system-"):
        return "qemu"
    return name if _OPENSTACK.fullmatch(name) and not _PARTS.fullmatch(name) else ""


def of_unit(unit: str) -> str:
    """The service of a systemd unit; its plain name for those that are neither OpenStack nor below it."""
    name = unit.removesuffix(".service")
    template, at, instance = name.partition("@")
    if at and template == "devstack":
        return _DEVSTACK.get(instance) or _known(instance) or instance
    plain = _DECORATION.sub("", name)
    return _known(plain) or plain


def of_container(name: str) -> str:
    """The service of a container called ``name``, as Kolla, TripleO and OpenStack-Ansible call them."""
    plain = _DECORATION.sub("", name)
    return _known(plain) or plain.replace("_", "-")


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
        return _known(first.rstrip(":"))
    if first.startswith("(wsgi:"):
        return _known(first.removeprefix("(wsgi:").rstrip(")"))
    program = first.rpartition("/")[2]
    if program.startswith("python"):
        return _known(_script(words[1:]))
    if "uwsgi" in program.lower() or (len(words) > 1 and words[1].lower() == "uwsgi"):
        return next((service for name in _uwsgi_names(words) if (service := _known(name))), "")
    if program.startswith("beam"):
        return "rabbitmq-server" if "rabbit" in line else ""
    if program == "haproxy" and "ns-metadata-proxy" in line:
        return "neutron-ns-metadata-proxy"
    return "" if program in _CLIENTS else _known(program)


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
_CLIENTS = frozenset(("mysql", "mariadb"))

# a cloud node runs without these, or starts them when they are needed
_INCIDENTAL = frozenset(("iscsid", "multipathd", "qemu", "sshd", "docker", "virtlogd", "epmd", "systemd-timesyncd"))


def is_of_the_cloud(service: str) -> bool:
    """Whether ``service`` is one of OpenStack's or one that these cannot do without."""
    return bool(_known(service)) and service not in _INCIDENTAL
