from __future__ import annotations

import pytest

from stackdoctor.facts.service_names import of_command, of_container, of_unit


@pytest.mark.parametrize(
    ("line", "service"),
    [
        ("/usr/bin/python3 /usr/bin/nova-conductor --config-file=/etc/nova/nova.conf", "nova-conductor"),
        ("/usr/bin/python2 -s /usr/bin/nova-compute", "nova-compute"),
        ("/var/lib/kolla/venv/bin/python3 /var/lib/kolla/venv/bin/nova-scheduler", "nova-scheduler"),
        (
            "neutron-server: rpc worker (/usr/bin/python3 /usr/bin/neutron-server --config-file /etc/x)",
            "neutron-server",
        ),
        (
            "neutron-linuxbridge-agent (/usr/bin/python3 /usr/bin/neutron-linuxbridge-agent)",
            "neutron-linuxbridge-agent",
        ),
        ("nova-conductor: worker", "nova-conductor"),
        ("/usr/bin/uwsgi_python311 --processes 2 --ini /etc/keystone/keystone-uwsgi.ini", "keystone"),
        ("/usr/bin/uwsgi_python311 --processes 1 --ini /etc/placement/placement-api-uwsgi.ini", "placement-api"),
        ("/usr/local/bin/uwsgi --procname-prefix nova-api --ini=/etc/nova/nova-api-uwsgi.ini", "nova-api"),
        ("nova-api uWSGI worker 1", "nova-api"),
        ("(wsgi:keystone-pub -k start", "keystone"),
        ("(wsgi:placement-api -DFOREGROUND", "placement-api"),
        ("/usr/sbin/apache2 -k start", "apache2"),
        ("/usr/sbin/httpd -DFOREGROUND", "apache2"),
        ("/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -- -root /usr/lib/erlang -s rabbit boot", "rabbitmq-server"),
        ("/usr/lib/erlang/erts-13.1.5/bin/beam.smp -- -s couch", ""),
        ("/usr/bin/epmd -systemd", "epmd"),
        ("/usr/sbin/mariadbd --basedir=/usr", "mysql"),
        ("/usr/sbin/mysqld", "mysql"),
        ("dnsmasq --no-hosts --no-resolv", "dnsmasq"),
        ("/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg", "haproxy"),
        ("haproxy -f /var/lib/neutron/ns-metadata-proxy/c501d0eb.conf", "neutron-ns-metadata-proxy"),
        ("/usr/bin/qemu-system-x86_64 -name guest=instance-00000001", "qemu"),
        ("/usr/libexec/qemu-kvm -name guest=instance-00000001", "qemu"),
        ("/usr/sbin/virtqemud --timeout 120", "libvirtd"),
        ("ovs-vswitchd unix:/var/run/openvswitch/db.sock -vconsole:emer", "ovs-vswitchd"),
        ("/usr/sbin/tgtd -f", "tgtd"),
        ("/usr/sbin/chronyd -F 1", "chronyd"),
        ("sshd: /usr/sbin/sshd -D [listener] 0 of 50-100 startups", "sshd"),
        ("dumb-init --single-child -- kolla_start", ""),
        ("sudo /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf", ""),
        ("/usr/bin/python3 /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf", ""),
        ("/usr/bin/python3 /bin/privsep-helper --config-file /etc/neutron/neutron.conf", ""),
        ("/usr/bin/python3 -c import_nova-compute", ""),
        ("vi /etc/nova/nova.conf", ""),
        ("[kworker/0:1-events]", ""),
        ("", ""),
        ("python3", ""),
        ("python3 -m", ""),
        ("uwsgi --ini", ""),
    ],
)
def test_a_process_is_known_by_its_command_line(line: str, service: str) -> None:
    assert of_command(line) == service


@pytest.mark.parametrize(
    ("unit", "service"),
    [
        ("nova-conductor.service", "nova-conductor"),
        ("openstack-nova-conductor.service", "nova-conductor"),
        ("tripleo_nova_conductor.service", "nova-conductor"),
        ("kolla-nova_conductor-container.service", "nova-conductor"),
        ("devstack@n-cond.service", "nova-conductor"),
        ("devstack@keystone.service", "keystone"),
        ("mariadb.service", "mysql"),
        ("mysqld.service", "mysql"),
        ("rabbitmq-server.service", "rabbitmq-server"),
        ("httpd.service", "apache2"),
        ("tgt.service", "tgtd"),
        ("neutron-openvswitch-agent.service", "neutron-openvswitch-agent"),
        ("ssh.service", "sshd"),
        ("getty@tty1.service", "getty"),
        ("logrotate.service", "logrotate"),
    ],
)
def test_a_unit_is_known_by_its_name(unit: str, service: str) -> None:
    assert of_unit(unit) == service


@pytest.mark.parametrize(
    ("container", "service"),
    [
        ("nova_conductor", "nova-conductor"),
        ("rabbitmq", "rabbitmq-server"),
        ("mariadb", "mysql"),
        ("nova_libvirt", "libvirtd"),
        ("openvswitch_db", "ovsdb-server"),
        ("neutron_openvswitch_agent", "neutron-openvswitch-agent"),
        ("placement_api", "placement-api"),
        ("fluentd", "fluentd"),
        ("kolla_toolbox", "kolla-toolbox"),
    ],
)
def test_a_container_is_known_by_its_name(container: str, service: str) -> None:
    assert of_container(container) == service
