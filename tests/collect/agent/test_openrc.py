"""Credentials as they are written down on controllers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.collect.agent.openrc import credentials, of_clouds, of_shell, v2_body, v3_body


def test_a_shell_file_is_read_without_a_shell() -> None:
    text = """
    # Ansible managed
    unset OS_SERVICE_TOKEN
    for key in $( set | awk '{FS="="} /^OS_/ {print $1}' ); do unset $key ; done
    export OS_PROJECT_DOMAIN_NAME='Default'
    export OS_USERNAME="admin"; export OS_REGION_NAME=RegionOne
    export OS_PASSWORD='p$a ss"w#d'
    export OS_AUTH_URL=http://192.0.2.10:5000   # Keystone
    export OS_CACERT=$(mktemp) OS_KEY=`touch /tmp/x`
    PS1='[\\u@\\h \\W(keystone_admin)]\\$ '
    """
    assert of_shell(text) == {
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_USERNAME": "admin",
        "OS_REGION_NAME": "RegionOne",
        "OS_PASSWORD": 'p$a ss"w#d',
        "OS_AUTH_URL": "http://192.0.2.10:5000",
    }


def test_the_only_cloud_or_the_administrators_is_taken() -> None:
    pytest.importorskip("yaml")
    auth = "auth: {auth_url: 'https://192.0.2.10:5000', username: admin, password: x, project_name: admin}"
    text = f"clouds:\n  kolla-admin:\n    {auth}\n    region_name: R1\n    interface: internal\n    verify: false\n"
    found = of_clouds(text + "  other: {}\n")
    assert found["OS_AUTH_URL"] == "https://192.0.2.10:5000"
    assert found["OS_PROJECT_NAME"] == "admin"
    assert found["OS_INSECURE"] == "true"
    assert of_clouds("clouds: [1]") == {}
    assert of_clouds("!!python/object/apply:os.system ['true']") == {}


def test_the_first_file_that_is_whole_counts(tmp_path: Path) -> None:
    (tmp_path / "a-openrc").write_text("export OS_USERNAME=demo\n")
    (tmp_path / "b-openrc").write_text("export OS_USERNAME=admin OS_PASSWORD=x OS_AUTH_URL=http://192.0.2.1/v3\n")
    found, path, why = credentials([str(tmp_path / "*openrc*")])
    assert found is not None
    assert (found["OS_USERNAME"], Path(path).name, why) == ("admin", "b-openrc", "")
    assert credentials([str(tmp_path / "none")]) == (None, "", "")


def test_what_keystone_is_sent_is_its_own_form() -> None:
    found = {"OS_USERNAME": "admin", "OS_PASSWORD": "x", "OS_TENANT_NAME": "admin"}
    auth = v3_body(found)["auth"]
    assert auth["identity"]["password"]["user"] == {"name": "admin", "password": "x", "domain": {"id": "default"}}
    assert auth["scope"] == {"project": {"name": "admin", "domain": {"id": "default"}}}
    assert v2_body(found)["auth"]["tenantName"] == "admin"
    own = {
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_APPLICATION_CREDENTIAL_ID": "i",
        "OS_APPLICATION_CREDENTIAL_SECRET": "s",
    }
    assert "scope" not in v3_body(own)["auth"]
