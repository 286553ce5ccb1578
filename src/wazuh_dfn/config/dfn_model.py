"""The section `[dfn]`: where to deliver, and as whom."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wazuh_dfn.config.addresses import BrokerAddress, parse_brokers
from wazuh_dfn.config.base import OptionalPath, OptionalText, Section, conflict

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def _join(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _check_brokers(value: str) -> str:
    return ",".join(map(str, parse_brokers(value)))


def _check_topic(value: str | None) -> str | None:
    if value is not None and (not _TOPIC.fullmatch(value) or value in {".", ".."}):
        raise ValueError("this can't be the name of a Kafka topic")
    return value


class DfnSettings(Section):
    """Broker, identity and certificates."""

    dfn_broker: Annotated[str, BeforeValidator(_join), AfterValidator(_check_brokers)] = Field(
        "kafka.example.org:443",
        description="Address of the broker; host:port with a port from 1 to 65535, IPv6 in brackets, several with commas between them",
    )
    dfn_id: Annotated[OptionalText, AfterValidator(_check_topic)] = Field(
        None,
        examples=["your-customer-id"],
        description="Customer id that DFN-CERT gave you, which is also the Kafka topic, needed to run; "
        "1 to 249 of the characters a-z A-Z 0-9 . _ -",
    )
    dfn_cert: OptionalPath = Field(
        None, examples=["/etc/wazuh-dfn/cert.pem"], description="Client certificate (PEM), goes together with dfn_key; path of a file"
    )
    dfn_key: OptionalPath = Field(
        None,
        examples=["/etc/wazuh-dfn/key.pem"],
        description="Private key of the client certificate (PEM), goes together with dfn_cert; path of a file",
    )
    dfn_key_password: OptionalText = Field(
        None,
        examples=["the-passphrase"],
        description="Passphrase of dfn_key if that is encrypted, here or in the variable, never as a flag; any text",
    )
    dfn_ca: OptionalPath = Field(
        None,
        examples=["/etc/wazuh-dfn/ca.pem"],
        description="CA certificates (PEM) to verify the broker's certificate with, without it those of the system; path of a file",
    )
    dfn_crl: OptionalPath = Field(
        None,
        examples=["/etc/wazuh-dfn/crl.pem"],
        description="Revocation list (PEM) of the CA that signed the broker's certificate; one in the file of dfn_ca counts too; path of a file",
    )

    @property
    def brokers(self) -> tuple[BrokerAddress, ...]:
        """The addresses of `dfn_broker`, at least one."""
        return parse_brokers(self.dfn_broker)

    @property
    def names_certificates(self) -> bool:
        """Whether any file for TLS is named."""
        return any((self.dfn_cert, self.dfn_key, self.dfn_ca, self.dfn_crl))

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if self.dfn_cert and not self.dfn_key:
            raise conflict(("dfn_cert", "dfn_key"), "a certificate without its key; set dfn.dfn_key too")
        if self.dfn_key and not self.dfn_cert:
            raise conflict(("dfn_key", "dfn_cert"), "a key without its certificate; set dfn.dfn_cert too")
        return self
