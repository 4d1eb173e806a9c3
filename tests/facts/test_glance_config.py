import pytest

from stackdoctor.facts.glance_config import CONFIG, GlanceStores

MULTI = "[DEFAULT]\nenabled_backends = a:file, b:rbd, c:file\n[a]\nfilesystem_store_datadir = /srv/a/\n"


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("[glance_store]\nfilesystem_store_datadir = /var/lib/glance/images\n", ["/var/lib/glance/images"]),
        ("[glance_store]\n", ["/var/lib/glance/images"]),
        ("[glance_store]\ndefault_store = rbd\nstores = rbd\n", []),
        ("[DEFAULT]\nfilesystem_store_datadir = /srv/old\n", ["/srv/old"]),
        (MULTI, ["/srv/a", "/var/lib/glance/images"]),
    ],
)
def test_the_folders_of_file_stores_are_known(answer, answered_node, text: str, folders: list[str]) -> None:
    found = GlanceStores.parse(answered_node(answer(CONFIG, text, "/etc/glance/glance-api.conf")))
    assert [store.folder for store in found] == folders


def test_kolla_s_container_has_them_in_a_volume(answer, answered_node) -> None:
    text = "[glance_store]\nfilesystem_store_datadir = /var/lib/glance/images/\n"
    (store,) = GlanceStores.parse(answered_node(answer(CONFIG, text, "/etc/kolla/glance-api/glance-api.conf")))
    assert store.folder == "/var/lib/docker/volumes/glance/_data/images"
