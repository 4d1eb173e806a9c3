"""Lines as md5sum prints them."""

from stackdoctor.model import Status

ONE, OTHER = "900150983cd24fb0d6963f7d28e17f72", "f96b697d7cb938d525a2f31aaf161d0c"
OLD, NEW = "924d6b393fa9cc51908ed65abc3a56b5", "0cc175b9c0f1b6a831c399e269772661"


def node(value: str, settings: str = "") -> dict[str, str]:
    rings = {"swift.rings object.ring.gz": f"{value}  /etc/swift/object.ring.gz\n"}
    return rings | ({"swift.rings swift.conf": f"{settings}  /etc/swift/swift.conf\n"} if settings else {})


def test_the_node_with_another_ring_than_the_rest_is_named(look) -> None:
    seen = look(swift1=node(NEW), swift2=node(OLD), swift3=node(NEW))
    assert [(f.id, f.node) for f in seen.every] == [("swift.ring.differs", "swift2")]
    assert seen.causes == [("swift-drive-or-node", "swift2")]


def test_equal_rings_and_a_node_without_rings_are_fine(look) -> None:
    assert look(swift1=node(NEW), swift2=node(NEW), db1={"swift.rings": Status.MISSING}).findings == {}


def test_two_clusters_have_rings_of_their_own(look) -> None:
    east = {"east1": node(OLD, ONE), "east2": node(OLD, ONE)}
    assert look(**east, west1=node(NEW, OTHER), west2=node(NEW, OTHER), west3=node(NEW, OTHER)).findings == {}
    seen = look(**east, west1=node(NEW, OTHER), west2=node(NEW, OTHER), west3=node(OLD, OTHER))
    assert [f.node for f in seen.every] == ["west3"]


def test_a_single_node_with_other_settings_is_still_held_to_the_rest(look) -> None:
    seen = look(swift1=node(NEW, ONE), swift2=node(NEW, ONE), swift3=node(OLD, OTHER))
    assert [f.node for f in seen.every] == ["swift3"]


def test_settings_without_a_ring_are_no_storage_node(look) -> None:
    client = {"swift.rings swift.conf": f"{ONE}  /etc/swift/swift.conf\n"}
    assert look(swift1=node(NEW, ONE), swift2=node(NEW, ONE), web1=client).findings == {}
