"""All settings of the daemon, checked and frozen."""

from __future__ import annotations

from pydantic import Field

from wazuh_dfn.config.base import Section
from wazuh_dfn.config.daemon_model import LogSettings, MiscSettings, SupervisorSettings
from wazuh_dfn.config.dfn_model import DfnSettings
from wazuh_dfn.config.health_model import HealthSettings
from wazuh_dfn.config.kafka_model import KafkaSettings
from wazuh_dfn.config.wazuh_model import WazuhSettings


class Settings(Section):
    """The whole configuration, one attribute a section. Times are in seconds unless the name ends in `_ms`."""

    dfn: DfnSettings = Field(DfnSettings(), description="Where to deliver, and as whom")
    wazuh: WazuhSettings = Field(WazuhSettings(), description="What is read, and where state is kept")
    kafka: KafkaSettings = Field(KafkaSettings(), description="How the producer talks to the broker")
    log: LogSettings = Field(LogSettings(), description="Where log lines go, and which")
    health: HealthSettings = Field(HealthSettings(), description="What the daemon tells about its own state")
    misc: MiscSettings = Field(MiscSettings(), description="What fits nowhere else")
    supervisor: SupervisorSettings = Field(SupervisorSettings(), description="Restarts, and how much may be under way")

    @property
    def uses_tls(self) -> bool:
        """Whether connections to the broker are encrypted; certificates alone say so, `kafka.security_protocol` has the last word."""
        if self.kafka.security_protocol is not None:
            return self.kafka.security_protocol == "SSL"
        return self.dfn.names_certificates

    @property
    def plaintext_reason(self) -> str | None:
        """Why connections without TLS are right here; None with TLS, or where nothing allows to go without."""
        if self.uses_tls:
            return None
        if self.kafka.security_protocol == "PLAINTEXT":
            return 'kafka.security_protocol = "PLAINTEXT"'
        if all(broker.is_loopback for broker in self.dfn.brokers):
            return "every broker is on this machine (loopback)"
        return None
