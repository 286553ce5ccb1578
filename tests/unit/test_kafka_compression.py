"""gzip as the producer uses it."""

import gzip
import json

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from wazuh_dfn.kafka.batch_compression import gzip_encode, use_fast_gzip

VALUES = [json.dumps({"number": number, "text": f"an ordinary line of {number * 7919}"}).encode() for number in range(500)]


def batch():
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=DefaultRecordBatch.CODEC_GZIP,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1_000_000,
    )
    for offset, value in enumerate(VALUES):
        builder.append(offset, timestamp=1, key=None, value=value, headers=[])
    return bytes(builder.build())


def test_batches_are_gzipped_by_ours_and_hold_what_was_put_in(monkeypatch):
    packed = []

    def pack(payload):
        packed.append(payload)
        return gzip_encode(payload)

    monkeypatch.setattr("wazuh_dfn.kafka.batch_compression.gzip_encode", pack)
    use_fast_gzip()
    built = batch()
    monkeypatch.undo()
    use_fast_gzip()
    assert len(packed) == 1, "aiokafka packs with what was put in place of its own"
    assert len(built) < len(packed[0]) / 3
    assert [record.value for record in DefaultRecordBatch(built)] == VALUES


def test_gzip_reads_it_and_it_is_small():
    payload = b"".join(VALUES)
    assert gzip.decompress(gzip_encode(payload)) == payload
    assert len(gzip_encode(payload)) < 1.5 * len(gzip.compress(payload, 9))
