"""Scenarios with Python's confluent-kafka against a broker: python-client.py HOST:PORT SCENARIO. Fails loudly."""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

address = sys.argv[1]
base = {"bootstrap.servers": address}
admin = AdminClient(base)
deadline_s = 60


def check(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def new_topic(name, partitions=1, **config):
    admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)])[name].result()
    return name


def produce(topic, values, partition=0, **settings):
    failures = []
    producer = Producer({**base, **settings})
    for value in values:
        on_delivery = lambda error, _: failures.append(error) if error is not None else None
        producer.produce(topic, value.encode(), key=f"key of {value}".encode(), partition=partition, on_delivery=on_delivery)
        producer.poll(0)
    check(producer.flush(deadline_s), 0)
    check(failures, [])


def consumer_of(group, **settings):
    quick = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "heartbeat.interval.ms": 100, "fetch.wait.max.ms": 50}
    return Consumer({**base, **quick, "group.id": group, **settings})


def take(consumer, count):
    messages = []
    end_s = time.monotonic() + deadline_s
    while len(messages) < count:
        assert time.monotonic() < end_s, f"only {len(messages)} of {count} records came"
        for message in consumer.consume(count - len(messages), timeout=1):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    return messages


def values_of(messages):
    return [message.value().decode() for message in messages]


def numbered(count, start=0):
    return [f"record {i}" for i in range(start, start + count)]


def config_of(resource, name):
    return admin.describe_configs([resource])[resource].result()[name].value


def topics():
    topic = new_topic("python-topics", 2, **{"retention.ms": "123456"})
    try:
        new_topic(topic)
        raise AssertionError("a topic was made twice")
    except KafkaException as error:
        check(error.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result()
    check(len(admin.list_topics(topic).topics[topic].partitions), 3)
    resource = ConfigResource(ResourceType.TOPIC, topic)
    check(config_of(resource, "retention.ms"), "123456")
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([change])[change].result()
    check(config_of(resource, "max.message.bytes"), "2000")
    cluster = admin.describe_cluster().result()
    check([f"{node.host}:{node.port}" for node in cluster.nodes], [address])
    broker_id = str(cluster.nodes[0].id)
    check(config_of(ConfigResource(ResourceType.BROKER, broker_id), "node.id"), broker_id)
    admin.delete_topics([topic])[topic].result()
    assert topic not in admin.list_topics().topics


def produces():
    for acks in ["all", "1", "0"]:
        for compression in ["none", "gzip", "snappy", "lz4", "zstd"]:
            topic = new_topic(f"python-{acks}-{compression}")
            produce(topic, numbered(300), acks=acks, **{"compression.type": compression})
            consumer = consumer_of(topic, **{"check.crcs": True})
            consumer.subscribe([topic])
            messages = take(consumer, 300)
            check(values_of(messages), numbered(300))
            check([message.offset() for message in messages], list(range(300)))
            check(messages[7].key(), b"key of record 7")
            consumer.close()


def idempotence():
    topic = new_topic("python-idempotence")
    produce(topic, numbered(5000), **{"enable.idempotence": True, "batch.num.messages": 50})
    consumer = consumer_of(topic)
    consumer.subscribe([topic])
    check(values_of(take(consumer, 5000)), numbered(5000))
    consumer.close()


def consumer_protocol_of(group):
    # The broker decides how often members are heard of, and how they are assigned.
    return Consumer({**base, "auto.offset.reset": "earliest", "enable.auto.commit": False, "group.id": group, "group.protocol": "consumer"})


def rebalance():
    for strategy in ["range", "cooperative-sticky", "consumer", "consumer with classic"]:
        topic = new_topic(f"python-rebalance-{strategy.replace(' ', '-')}", 4)
        if strategy.startswith("consumer"):
            members = [consumer_protocol_of(topic)]
            classic = consumer_of(topic, **{"partition.assignment.strategy": "cooperative-sticky"})
            members.append(consumer_protocol_of(topic) if strategy == "consumer" else classic)
        else:
            members = [consumer_of(topic, **{"partition.assignment.strategy": strategy}) for _ in range(2)]
        received = []

        def poll_until(done):
            end_s = time.monotonic() + deadline_s
            while not done():
                assert time.monotonic() < end_s, f"{strategy}: {[m.assignment() for m in members]}"
                for member in members:
                    message = member.poll(0.05)
                    if message is not None and not message.error():
                        received.append(message.value().decode())

        members[0].subscribe([topic])
        poll_until(lambda: len(members[0].assignment()) == 4)
        members[1].subscribe([topic])
        poll_until(lambda: [len(member.assignment()) for member in members] == [2, 2])
        for partition in range(4):
            produce(topic, numbered(10, partition * 10), partition)
        poll_until(lambda: len(received) == 40)
        check(sorted(received), sorted(numbered(40)))
        members.pop().close()
        poll_until(lambda: len(members[0].assignment()) == 4)
        members[0].close()


def seek():
    topic = new_topic("python-seek")
    produce(topic, numbered(10))
    consumer = consumer_of(topic)
    consumer.assign([TopicPartition(topic, 0, 8)])
    check(values_of(take(consumer, 2)), numbered(2, 8))
    consumer.seek(TopicPartition(topic, 0, 0))
    check(values_of(take(consumer, 10)), numbered(10))
    check(consumer.get_watermark_offsets(TopicPartition(topic, 0)), (0, 10))
    admin.delete_records([TopicPartition(topic, 0, 4)])[TopicPartition(topic, 0, 4)].result()
    check(consumer.get_watermark_offsets(TopicPartition(topic, 0)), (4, 10))
    # What is deleted is out of range, and the consumer starts again at the earliest that is left.
    consumer.seek(TopicPartition(topic, 0, 1))
    check(values_of(take(consumer, 6)), numbered(6, 4))
    consumer.close()


def times():
    topic = new_topic("python-times")
    start_ms = int(time.time() * 1000) - 60_000
    producer = Producer(base)
    for i in range(5):
        producer.produce(topic, str(i).encode(), timestamp=start_ms + i * 1000)
        check(producer.flush(deadline_s), 0)
    consumer = consumer_of(topic)
    found = lambda ms: consumer.offsets_for_times([TopicPartition(topic, 0, ms)], timeout=10)[0].offset
    check(found(start_ms + 1500), 2)
    check(found(start_ms + 2000), 2)
    consumer.close()
    partition = TopicPartition(topic, 0)
    listed = lambda spec: admin.list_offsets({partition: spec})[partition].result().offset
    check(listed(OffsetSpec.earliest()), 0)
    check(listed(OffsetSpec.latest()), 5)
    check(listed(OffsetSpec.max_timestamp()), 4)
    check(listed(OffsetSpec.for_timestamp(start_ms + 10_000)), -1)


def groups():
    topic = new_topic("python-groups")
    produce(topic, numbered(10))
    for expected in [numbered(10), numbered(6, 4)]:
        consumer = consumer_of("python-group")
        consumer.subscribe([topic])
        messages = take(consumer, len(expected))
        check(values_of(messages), expected)
        consumer.commit(message=messages[3], asynchronous=False)
        consumer.close()
    check([group.group_id for group in admin.list_consumer_groups().result().valid if group.group_id == "python-group"], ["python-group"])
    described = admin.describe_consumer_groups(["python-group"])["python-group"].result()
    check((described.state.name, described.members), ("EMPTY", []))
    admin.delete_consumer_groups(["python-group"])["python-group"].result()


def compact():
    topic = new_topic("python-compact", **{"cleanup.policy": "compact"})
    refused = []
    producer = Producer(base)
    producer.produce(topic, b"no key", on_delivery=lambda error, _: refused.append(error.code()))
    producer.flush(deadline_s)
    check(refused, [KafkaError.INVALID_RECORD])
    produce(topic, numbered(3))


def before_kill():
    topic = new_topic("python-kill")
    produce(topic, numbered(20), acks="all")
    consumer = consumer_of(topic)
    consumer.subscribe([topic])
    consumer.commit(message=take(consumer, 12)[-1], asynchronous=False)
    consumer.close()


def after_kill():
    topic = "python-kill"
    produce(topic, numbered(5, 20), acks="all")
    consumer = consumer_of(topic)
    consumer.subscribe([topic])
    check(values_of(take(consumer, 13)), numbered(13, 12))
    consumer.close()


scenarios = {
    "topics": topics,
    "produce": produces,
    "idempotence": idempotence,
    "rebalance": rebalance,
    "seek": seek,
    "times": times,
    "groups": groups,
    "compact": compact,
    "before-kill": before_kill,
    "after-kill": after_kill,
}
scenarios[sys.argv[2]]()
