"""Configuration and XML as nova and libvirt of Zed write them, with the address changed."""

import pytest

CONFIG = (
    "[vnc]\nenabled = True\nserver_listen = 0.0.0.0\nserver_proxyclient_address = {0}\n[libvirt]\nvirt_type = qemu\n"
)
PROXY = "/usr/bin/python3 /usr/bin/nova-novncproxy --config-file=/etc/nova/nova.conf"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file /etc/nova/nova.conf"
QEMU = "/usr/bin/qemu-system-x86_64 -name guest=instance-00000001,debug-threads=on -S -machine pc"
AUTH = "/usr/bin/python2 /usr/bin/nova-consoleauth"
XML = """<domain><name>instance-00000001</name><devices>
    <graphics type='vnc' port='5900' autoport='yes' listen='{0}'>
      <listen type='address' address='{0}'/>
    </graphics></devices></domain>"""
LIST = " Id   Name                State\n-------\n 3    instance-00000001   running\n\n"
CONF = "nova.config /etc/nova/nova.conf"


def guests(listen: str) -> dict[str, str]:
    return {"libvirt.list": LIST, "libvirt.dumpxml instance-00000001": XML.format(listen)}


def test_a_loopback_address_for_a_proxy_on_another_host_is_the_cause(look, running) -> None:
    seen = look(
        controller={"processes": running(PROXY)},
        compute1={"processes": running(COMPUTE), CONF: CONFIG.format("127.0.0.1")},
    )
    found = seen.findings["nova.vnc.proxy-address"]
    assert (found.keys["host"], found.evidence[0].line) == ("compute1", "server_proxyclient_address = 127.0.0.1")
    assert seen.causes == [("novnc-proxyclient-address", "compute1")]


def test_it_is_so_by_default_and_by_the_old_name(look, running) -> None:
    controller = {"processes": running(PROXY)}
    for text in ("[DEFAULT]\n", "[DEFAULT]\nvncserver_proxyclient_address=127.0.0.1\n"):
        seen = look(controller=controller, compute1={"processes": running(COMPUTE), CONF: text})
        assert "nova.vnc.proxy-address" in seen.findings


@pytest.mark.parametrize(
    "text",
    [
        CONFIG.format("192.0.2.20"),
        CONFIG.format("127.0.0.1").replace("enabled = True", "enabled = False"),
        "[DEFAULT]\ncompute_driver = ironic.IronicDriver\n",
    ],
)
def test_a_real_address_no_vnc_and_no_libvirt_are_fine(look, running, text) -> None:
    seen = look(controller={"processes": running(PROXY)}, compute1={"processes": running(COMPUTE), CONF: text})
    assert seen.findings == {}


def test_on_a_single_host_the_loopback_address_is_right(look, running) -> None:
    one = {"processes": running(PROXY, COMPUTE, QEMU), CONF: CONFIG.format("127.0.0.1"), **guests("127.0.0.1")}
    assert look(aio=one).findings == {}


def test_guests_that_listen_on_loopback_only_are_found(look, running) -> None:
    compute = {"processes": running(COMPUTE, QEMU), CONF: CONFIG.format("192.0.2.20")}
    proxy = {"processes": running(PROXY)}
    seen = look(controller=proxy, compute1={**compute, **guests("127.0.0.1")})
    assert seen.findings["libvirt.vnc.loopback"].count == 1
    assert seen.causes == [("novnc-proxyclient-address", "compute1")]
    assert look(controller=proxy, compute1={**compute, **guests("0.0.0.0")}).findings == {}


def test_two_consoleauth_that_share_nothing_explain_refused_tokens(look, running, logged) -> None:
    token = ("nova-console-token", "nova-novncproxy", "/var/log/nova/nova-novncproxy.log", {}, 20.0)
    many = logged(*[token]).replace('"count": 1', '"count": 9')
    alone = {"processes": running(AUTH), CONF: "[DEFAULT]\n"}
    seen = look(ctl1={**alone, "logs.hits": many}, ctl2=alone)
    assert "nova.consoleauth.unshared" in seen.findings
    assert seen.causes == [("novnc-token", "ctl1")]
    shared = {"processes": running(AUTH), CONF: "[cache]\nenabled = true\nmemcache_servers = 192.0.2.1:11211\n"}
    assert look(ctl1=shared, ctl2=shared).findings == {}


def test_a_few_refused_tokens_are_browsers_that_were_left_open(look, logged) -> None:
    token = ("nova-console-token", "nova-novncproxy", "/var/log/nova/nova-novncproxy.log", {}, 20.0)
    seen = look(ctl1={"logs.hits": logged(token)})
    assert [str(f.severity) for f in seen.every] == ["info"]
    assert seen.causes == []
