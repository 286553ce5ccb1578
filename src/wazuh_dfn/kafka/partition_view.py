"""The one partition that all records go to, as the latest metadata of the cluster show it."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.client_errors import no_leader
from wazuh_dfn.kafka.faults import Fault


class PartitionView:
    """Looks at what the client knows.

    Args:
        cluster: The client's metadata.
        topic: The topic.
    """

    def __init__(self, cluster: ClusterMetadata, topic: str) -> None:
        self._cluster = cluster
        self.topic = topic
        self.number = -1
        """The partition, once it is chosen."""

    def needed(self) -> list[int]:
        """Return the id of the leader, or those of all known brokers if there is none now."""
        leader = self._leader()
        if leader is not None and self._cluster.broker_metadata(leader) is not None:
            return [leader]
        return [broker.nodeId for broker in self._cluster.brokers()]

    def needed_addresses(self) -> list[BrokerAddress]:
        """Return the addresses of what is needed."""
        return [address for node in self.needed() if (address := self.address_of(node)) is not None]

    def address_of(self, node: Any) -> BrokerAddress | None:
        """Return the address of a broker, or None if the cluster does not list it."""
        broker = self._cluster.broker_metadata(node)
        return BrokerAddress(broker.host, broker.port) if broker is not None else None

    def fault(self) -> Fault | None:
        """Tell that the partition has no leader, or is not there any more. Nothing can be delivered then, whoever is within reach."""
        leader = self._leader()
        return no_leader(self.topic, self.number) if self.number >= 0 and (leader is None or leader < 0) else None

    def _leader(self) -> int | None:
        leader: int | None = self._cluster.leader_for_partition(TopicPartition(self.topic, self.number))
        return leader
