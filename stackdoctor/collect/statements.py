"""The SELECTs that are sent to a node's database when the operator consents, each a fixed text that only reads.

The session is read only, a statement ends by itself after five seconds (the comments say so to MariaDB and to MySQL),
and every one has a limit.  None asks for what users typed, for statements of others, or for what is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["READ_ONLY", "STATEMENTS"]

READ_ONLY = "--init-command=SET SESSION TRANSACTION READ ONLY"

_SELECT = "/*M!100100 SET STATEMENT max_statement_time=5 FOR */ SELECT /*+ MAX_EXECUTION_TIME(5000) */ "


def _age(*columns: str) -> str:
    """Seconds since the first of ``columns`` (UTC, as all services write them) that is not NULL."""
    return f"TIMESTAMPDIFF(SECOND, COALESCE({', '.join(columns)}), UTC_TIMESTAMP()) AS age"


STATEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "nova-services": _SELECT
        + f"host, `binary` AS service, {_age('last_seen_up', 'updated_at', 'created_at')}"
        + " FROM nova.services WHERE deleted = 0 AND disabled = 0 AND forced_down = 0 HAVING age > 60"
        + " ORDER BY age LIMIT 200",
        "nova-instances": _SELECT
        + f"uuid, host, vm_state, task_state, {_age('updated_at', 'created_at')}"
        + " FROM nova.instances WHERE deleted = 0 AND (task_state IS NOT NULL OR vm_state IN ('building', 'error'))"
        + " ORDER BY age LIMIT 200",
        "nova-volumes": _SELECT
        + f"b.volume_id AS volume, b.instance_uuid AS instance, i.host AS host, {_age('b.updated_at', 'b.created_at')}"
        + " FROM nova.block_device_mapping b JOIN nova.instances i ON i.uuid = b.instance_uuid AND i.deleted = 0"
        + " LEFT JOIN cinder.volume_attachment a ON a.volume_id = b.volume_id AND a.instance_uuid = b.instance_uuid"
        + " AND a.deleted = 0 WHERE b.deleted = 0 AND b.volume_id IS NOT NULL AND a.id IS NULL LIMIT 200",
        "cinder-attachments": _SELECT
        + "a.volume_id AS volume, a.instance_uuid AS instance, a.attached_host AS host,"
        + f" {_age('a.updated_at', 'a.created_at')}"
        + " FROM cinder.volume_attachment a JOIN nova.instances i ON i.uuid = a.instance_uuid AND i.deleted = 0"
        + " LEFT JOIN nova.block_device_mapping b ON b.volume_id = a.volume_id"
        + " AND b.instance_uuid = a.instance_uuid AND b.deleted = 0 WHERE a.deleted = 0"
        + " AND a.instance_uuid IS NOT NULL AND a.attach_status = 'attached' AND b.id IS NULL LIMIT 200",
        "cinder-volumes": _SELECT
        + f"id AS volume, host, status, attach_status, {_age('updated_at', 'created_at')}"
        + " FROM cinder.volumes WHERE deleted = 0 AND status NOT IN ('available', 'in-use', 'reserved', 'maintenance')"
        + " ORDER BY age LIMIT 200",
        "neutron-agents": _SELECT
        + "host, `binary` AS service, TIMESTAMPDIFF(SECOND, heartbeat_timestamp, UTC_TIMESTAMP()) AS age"
        + " FROM neutron.agents WHERE admin_state_up = 1 HAVING age > 60 ORDER BY age LIMIT 200",
        "neutron-bindings": _SELECT
        + "b.port_id AS port, b.host AS host, p.device_owner AS owner, p.device_id AS device"
        + " FROM neutron.ml2_port_bindings b JOIN neutron.ports p ON p.id = b.port_id"
        + " WHERE b.vif_type = 'binding_failed' LIMIT 200",
        "queries": _SELECT
        + "id, user, SUBSTRING_INDEX(host, ':', 1) AS client, db AS `database`, time AS age, state"
        + " FROM information_schema.processlist WHERE command IN ('Query', 'Execute') AND time > 30"
        + " AND user NOT IN ('system user', 'event_scheduler') ORDER BY time DESC LIMIT 50",
        "transactions": _SELECT
        + "t.trx_mysql_thread_id AS id, p.user AS user, SUBSTRING_INDEX(p.host, ':', 1) AS client, p.db AS `database`,"
        + " TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS age, t.trx_state AS state, t.trx_rows_locked AS locked"
        + " FROM information_schema.innodb_trx t LEFT JOIN information_schema.processlist p"
        + " ON p.id = t.trx_mysql_thread_id WHERE p.user <> 'system user' HAVING age > 30 ORDER BY age DESC LIMIT 50",
    }
)
