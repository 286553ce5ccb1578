"""The parts of the Kafka adapter that need no broker."""

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from support.certs import make_certificates
from wazuh_dfn.check.certificates import check_certificates
from wazuh_dfn.check.findings import has_failure
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.config.setting_findings import is_secret
from wazuh_dfn.config.settings import FLAG_KEYS, Settings
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaRecordProducer
from wazuh_dfn.kafka.broker_connection import KafkaConnection
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode
from wazuh_dfn.kafka.producer_options import KafkaOptions, TlsFiles
from wazuh_dfn.kafka.throttle import Throttle
from wazuh_dfn.kafka.tls_context import make_tls_contexts


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.mark.parametrize("bootstrap", ["a:1, [::1]:2,", ["a:1", " [::1]:2 "]])
def test_addresses(bootstrap):
    assert KafkaOptions(bootstrap, "alerts").brokers == (BrokerAddress("a", 1), BrokerAddress("::1", 2))


@pytest.mark.parametrize(("configured", "used"), [({}, "wazuh-dfn"), ({"client_id": "me"}, "me")])
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_configured_name_of_the_client_is_what_the_broker_gets_to_know(configured, used):
    options = KafkaOptions.of(Settings.model_validate({"kafka": {"producer_config": configured}}))
    connection = KafkaConnection(options, None, print, Throttle())
    assert connection._producer.client._client_id == used
    await connection.close()


def test_what_fits_into_a_request_is_one_batch():
    producer = AiokafkaRecordProducer(KafkaOptions("h:1", "alerts"), None, print, Throttle())
    values = [bytes(900)] * 1_000
    assert list(producer._batches(values)) == [values]


def test_batches_keep_the_order_and_stay_below_the_limit():
    producer = AiokafkaRecordProducer(KafkaOptions("h:1", "alerts", max_request_size=1_000), None, print, Throttle())
    values = [bytes([number]) * 250 for number in range(20)]
    batches = list(producer._batches(values))
    assert [value for batch in batches for value in batch] == values
    assert len(batches) > 1
    assert all(61 + sum(16 + len(value) for value in batch) <= 1_000 for batch in batches)


def test_a_good_context_verifies(certs):
    context = make_tls_contexts(TlsFiles(certs.ca, certs.client.certificate, certs.client.key)).verifying
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def refused(files):
    with pytest.raises(BrokerUnavailableError) as caught:
        make_tls_contexts(files)
    assert caught.value.needs_operator
    assert "\n" not in caught.value.reason
    return caught.value.reason


def test_a_key_of_another_certificate(certs):
    reason = refused(TlsFiles(certs.ca, certs.client.certificate, certs.server.key))
    assert "dfn.dfn_key" in reason
    assert "it is not the key of the certificate" in reason


@pytest.fixture(params=["PKCS8", "TraditionalOpenSSL"])
def encrypted(request, certs, tmp_path):
    key = serialization.load_pem_private_key(certs.client.key.read_bytes(), None)
    path = tmp_path / "encrypted.pem"
    form, secret = getattr(serialization.PrivateFormat, request.param), serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, secret))
    path.chmod(0o600)
    return path


def test_an_encrypted_key_does_not_ask_on_the_terminal(certs, encrypted):
    reason = refused(TlsFiles(certs.ca, certs.client.certificate, encrypted))
    assert "the key is encrypted with a passphrase; set dfn.dfn_key_password" in reason


def test_an_encrypted_key_is_opened_by_its_passphrase_and_by_no_other(certs, encrypted):
    make_tls_contexts(TlsFiles(certs.ca, certs.client.certificate, encrypted, key_password="secret"))
    files = TlsFiles(certs.ca, certs.client.certificate, encrypted, key_password="another")
    assert "cannot be decrypted with dfn.dfn_key_password" in refused(files)
    assert "another" not in repr(files)
    [finding] = [each for each in check_certificates(files) if each.check == "key"]
    assert "cannot be decrypted with dfn.dfn_key_password" in finding.text
    good = TlsFiles(certs.ca, certs.client.certificate, encrypted, key_password="secret")
    assert not has_failure(check_certificates(good))


def test_a_passphrase_for_a_key_that_is_not_encrypted_does_no_harm(certs):
    make_tls_contexts(TlsFiles(certs.ca, certs.client.certificate, certs.client.key, key_password="secret"))


def test_passwords_have_no_flag_and_are_never_shown():
    for key in (("dfn", "dfn_key_password"), ("kafka", "sasl_password")):
        assert key not in FLAG_KEYS
        assert is_secret(key, "secret")


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_files_without_pem_data(certs, tmp_path, content):
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    assert "dfn.dfn_ca" in refused(TlsFiles(path))
    assert "dfn.dfn_cert" in refused(TlsFiles(certs.ca, path, certs.client.key))
    assert "dfn.dfn_key" in refused(TlsFiles(certs.ca, certs.client.certificate, path))


def test_a_folder_in_place_of_a_file(certs, tmp_path):
    assert "cannot read certificate file: dfn.dfn_cert" in refused(TlsFiles(certs.ca, tmp_path, certs.client.key))


@pytest.mark.parametrize("code", FaultCode, ids=lambda code: code.value)
@pytest.mark.parametrize("where", [None, BrokerAddress("broker", 443)])
def test_every_fault_has_a_remedy_that_names_the_place(code, where):
    remedy = Fault(code, "wrong", where).remedy
    assert remedy
    assert "{" not in remedy
    assert ("broker:443" in remedy) == (where is not None and "{where}" in code.remedy)


def test_the_codes_of_faults_differ():
    assert len({code.value for code in FaultCode.__members__.values()}) == len(FaultCode.__members__)


def login(**kafka):
    return KafkaOptions.of(Settings.model_validate({"dfn": {"dfn_ca": "/ca.pem"}, "kafka": kafka}))


def test_a_login_goes_on_top_of_tls():
    wanted = login(sasl_mechanism="scram-sha-512", sasl_username="site", sasl_password="secret")
    assert wanted.security_protocol == "SASL_SSL"
    assert wanted.login_arguments["sasl_mechanism"] == "SCRAM-SHA-512"
    assert "secret" not in repr(wanted)


def test_a_login_needs_all_of_it():
    with pytest.raises(ValueError, match="set sasl_password too"):
        login(sasl_mechanism="PLAIN", sasl_username="site")


@pytest.mark.parametrize("url", ["proxy:3128", "https://proxy:3128", "http://me:secret@proxy:3128", "http://proxy", "http://proxy:x", ""])
def test_what_is_no_address_of_a_proxy(url):
    if not url:
        assert login(proxy=url).proxy is None
        return
    with pytest.raises(ValueError, match="proxy"):
        login(proxy=url)


def test_a_password_in_the_address_of_a_proxy_is_not_shown():
    assert is_secret(("kafka", "proxy"), "http://me:word@proxy:3128")
    assert not is_secret(("kafka", "proxy"), "http://proxy:3128")


def test_the_address_of_a_proxy():
    assert login(proxy="http://[::1]:3128/").proxy == BrokerAddress("::1", 3128)
