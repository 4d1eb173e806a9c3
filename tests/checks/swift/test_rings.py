"""Lines as md5sum prints them."""

from stackdoctor.model import Status

OLD, NEW = "924d6b393fa9cc51908ed65abc3a56b5", "0cc175b9c0f1b6a831c399e269772661"


def node(value: str) -> dict[str, str]:
    return {"swift.rings object.ring.gz": f"{value}  /etc/swift/object.ring.gz\n"}


def test_the_node_with_another_ring_than_the_rest_is_named(look) -> None:
    seen = look(swift1=node(NEW), swift2=node(OLD), swift3=node(NEW))
    assert [(f.id, f.node) for f in seen.every] == [("swift.ring.differs", "swift2")]
    assert seen.causes == [("swift-drive-or-node", "swift2")]


def test_equal_rings_and_a_node_without_rings_are_fine(look) -> None:
    assert look(swift1=node(NEW), swift2=node(NEW), db1={"swift.rings": Status.MISSING}).findings == {}
