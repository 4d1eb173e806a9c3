"""Where the services write their logs: Debian and Ubuntu, RHEL and its like, Kolla, TripleO.

Rotated files (``.1``, ``.2.gz``, ``-20240101``) belong to the file that they were; the node finds them by itself.
Earlier sources win: the general globs at the end take what is left, with the service read off the file's name.
"""

from __future__ import annotations

from stackdoctor.collect.plan import LogSource

__all__ = ["LOG_SOURCES"]

_ROOTS = ("/var/log", "/var/log/kolla", "/var/log/containers")

_SHORT = {
    "neutron": {
        "server": "neutron-server",
        "api": "neutron-server",
        "neutron-api": "neutron-server",
        "dhcp-agent": "neutron-dhcp-agent",
        "l3-agent": "neutron-l3-agent",
        "metadata-agent": "neutron-metadata-agent",
        "linuxbridge-agent": "neutron-linuxbridge-agent",
        "openvswitch-agent": "neutron-openvswitch-agent",
        "sriov-nic-agent": "neutron-sriov-agent",
    },
    "cinder": {
        "api": "cinder-api",
        "scheduler": "cinder-scheduler",
        "volume": "cinder-volume",
        "backup": "cinder-backup",
    },
    "glance": {"api": "glance-api", "registry": "glance-registry"},
    "ceilometer": {
        "agent-notification": "ceilometer-agent-notification",
        "central": "ceilometer-agent-central",
        "compute": "ceilometer-agent-compute",
        "polling": "ceilometer-polling",
    },
    "aodh": {"evaluator": "aodh-evaluator", "listener": "aodh-listener", "notifier": "aodh-notifier"},
    "gnocchi": {"metricd": "gnocchi-metricd", "statsd": "gnocchi-statsd"},
}
"""RDO's short file names, by folder."""

_PROJECTS = (
    *(
        "nova",
        "neutron",
        "cinder",
        "glance",
        "heat",
        "keystone",
        "placement",
        "ceilometer",
        "gnocchi",
        "aodh",
    ),
    *(
        "manila",
        "octavia",
        "designate",
        "ironic",
        "ironic-inspector",
        "magnum",
        "barbican",
        "trove",
        "mistral",
        "masakari",
    ),
    *("cyborg", "zun", "watcher"),
)


def _everywhere(*paths: str) -> tuple[str, ...]:
    return tuple(f"{root}/{path}" for path in paths for root in _ROOTS)


LOG_SOURCES: tuple[LogSource, ...] = (
    LogSource("rabbitmq-server", "rabbitmq", _everywhere("rabbitmq/rabbit@*.log", "rabbitmq/rabbitmq*.log")),
    LogSource(
        "mysql",
        "mysql",
        (
            "/var/log/mysql/error.log",
            "/var/log/mysql.err",
            "/var/log/mysqld.log",
            *_everywhere("mariadb/mariadb.log", "mysql/mariadb.log", "mysql/mysqld.log"),
        ),
    ),
    LogSource("haproxy", "syslog", ("/var/log/haproxy.log", *_everywhere("haproxy/haproxy*.log"))),
    LogSource("keepalived", "syslog", ("/var/log/keepalived.log", *_everywhere("keepalived/*.log"))),
    LogSource(
        "corosync", "auto", ("/var/log/cluster/corosync.log", *_everywhere("corosync/*.log", "hacluster/corosync*.log"))
    ),
    LogSource(
        "pacemaker", "auto", ("/var/log/pacemaker.log", *_everywhere("pacemaker/*.log", "hacluster/pacemaker*.log"))
    ),
    LogSource("qemu", "qemu", _everywhere("libvirt/qemu/*.log")),
    LogSource("libvirtd", "qemu", _everywhere("libvirt/libvirtd.log", "libvirt/virtqemud.log")),
    LogSource(
        "dnsmasq",
        "syslog",
        ("/var/log/dnsmasq.log", *_everywhere("neutron/dnsmasq/*/dhcp_dns_log", "neutron/dnsmasq.log")),
    ),
    LogSource("ovs-vswitchd", "ovs", _everywhere("openvswitch/ovs-vswitchd.log")),
    LogSource("ovsdb-server", "ovs", _everywhere("openvswitch/ovsdb-server*.log")),
    LogSource("syslog", "syslog", ("/var/log/syslog", "/var/log/messages")),
    LogSource("kernel", "syslog", ("/var/log/kern.log",)),
    LogSource("daemon", "syslog", ("/var/log/daemon.log",)),
    LogSource("audit", "auto", ("/var/log/audit/audit.log",)),
    LogSource("chrony", "auto", ("/var/log/kolla/chrony/chrony*.log",)),
    LogSource("keystone", "auto", ("/var/log/apache2/keystone*.log", "/var/log/httpd/keystone*.log")),
    LogSource(
        "horizon",
        "auto",
        ("/var/log/openstack-dashboard/*error*.log", "/var/log/httpd/horizon*error*log", *_everywhere("horizon/*.log")),
    ),
    LogSource("apache", "auto", ("/var/log/apache2/*error*.log", "/var/log/httpd/*error*log")),
    LogSource("swift", "auto", _everywhere("swift/*.log")),
    LogSource(
        "kafka",
        "auto",
        ("/opt/kafka/logs/server.log", "/usr/local/kafka/logs/server.log", *_everywhere("kafka/server.log")),
    ),
    *(
        LogSource(service, "oslo", _everywhere(f"{folder}/{name}.log"))
        for folder, names in _SHORT.items()
        for name, service in names.items()
    ),
    LogSource("", "oslo", _everywhere(*(f"{project}/*.log" for project in _PROJECTS))),
    LogSource("", "auto", ("/var/log/kolla/*/*.log", "/var/log/containers/*/*.log")),
)
