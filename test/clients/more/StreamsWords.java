import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * A Kafka Streams application that counts words exactly once, with what writes its input and reads its output.
 *
 *   lines ──► words ──(by word, over a repartition topic)──► counts of each word     ──► word-counts
 *               └────(by length, over another)─────────────► letters of each length  ──► length-sums
 *
 *   create ADDRESS                        the topics that the application does not make itself
 *   write ADDRESS COUNT RATE              lines "w<i % 17> w<i % 91> w<i % 7>", numbered from 0, RATE a second
 *   run ADDRESS DIRECTORY PROTOCOL NAME   the application, until it is killed; PROTOCOL is classic or streams
 *   read ADDRESS TOPIC COUNT              committed records of a topic, one "key value" a line in the order of each partition,
 *                                         until there are COUNT and no more come for a while
 *   sizes ADDRESS TOPIC                   "start end records" of a topic, each summed over its partitions
 */
public class StreamsWords {
    static final String LINES = "lines";
    /** Segments end soon, so that state is restored from what compaction has left. */
    static final Map<String, String> COMPACTED_SOON = Map.of("segment.ms", "3000", "min.cleanable.dirty.ratio", "0.01");

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "create" -> create(args[1]);
            case "write" -> write(args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
            case "run" -> run(args[1], args[2], args[3], args[4]);
            case "read" -> read(args[1], args[2], Long.parseLong(args[3]));
            case "sizes" -> sizes(args[1], args[2]);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static void create(String address) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            List<NewTopic> topics = List.of(
                    new NewTopic(LINES, 4, (short) 1),
                    new NewTopic("word-counts", 3, (short) 1),
                    new NewTopic("length-sums", 1, (short) 1));
            admin.createTopics(topics).all().get();
        }
    }

    static void write(String address, int count, int rate) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("delivery.timeout.ms", "600000");
        settings.put("linger.ms", "5");
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            long beginNanos = System.nanoTime();
            for (int i = 0; i < count && failure.get() == null; i++) {
                String line = "w" + i % 17 + " w" + i % 91 + " w" + i % 7;
                producer.send(new ProducerRecord<>(LINES, "line " + i, line), (metadata, error) -> {
                    if (error != null) failure.compareAndSet(null, error);
                });
                long dueNanos = beginNanos + (i + 1) * 1_000_000_000L / rate;
                long waitMs = (dueNanos - System.nanoTime()) / 1_000_000;
                if (waitMs > 0) Thread.sleep(waitMs);
            }
            producer.flush();
        }
        if (failure.get() != null) throw failure.get();
        System.out.println("written " + count);
    }

    static void run(String address, String directory, String protocol, String name) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> words =
                builder.stream(LINES, Consumed.with(Serdes.String(), Serdes.String()))
                        .flatMapValues(line -> Arrays.asList(line.split(" ")));
        words.groupBy((key, word) -> word, Grouped.with("by-word", Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withLoggingEnabled(COMPACTED_SOON))
                .toStream()
                .to("word-counts", Produced.with(Serdes.String(), Serdes.Long()));
        words.selectKey((key, word) -> "length " + word.length())
                .repartition(Repartitioned.with(Serdes.String(), Serdes.String()).withName("by-length").withNumberOfPartitions(2))
                .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
                .aggregate(
                        () -> 0L,
                        (key, word, sum) -> sum + word.length(),
                        Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("sums")
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Serdes.Long())
                                .withLoggingEnabled(COMPACTED_SOON))
                .toStream()
                .to("length-sums", Produced.with(Serdes.String(), Serdes.Long()));
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("application.id", "words");
        settings.put("client.id", name);
        settings.put("state.dir", directory);
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("group.protocol", protocol);
        settings.put("default.key.serde", Serdes.StringSerde.class.getName());
        settings.put("default.value.serde", Serdes.StringSerde.class.getName());
        settings.put("num.stream.threads", "2");
        settings.put("num.standby.replicas", protocol.equals("classic") ? "1" : "0");
        settings.put("commit.interval.ms", "100");
        settings.put("repartition.purge.interval.ms", "1000");
        // Every change of a count is put out, so that each value between the first and the last can be looked for.
        settings.put("statestore.cache.max.bytes", "0");
        settings.put("auto.offset.reset", "earliest");
        settings.put("task.timeout.ms", "600000");
        settings.put("producer.transaction.timeout.ms", "10000");
        if (protocol.equals("classic")) {
            settings.put("consumer.session.timeout.ms", "6000");
            settings.put("consumer.heartbeat.interval.ms", "500");
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setStateListener((now, before) -> System.out.println(name + " " + before + " -> " + now));
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println(name + " replaces a thread: " + error);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
        new CountDownLatch(1).await();
    }

    static KafkaConsumer<String, byte[]> reader(String address) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer());
    }

    static List<TopicPartition> assigned(KafkaConsumer<?, ?> consumer, String topic) {
        List<TopicPartition> partitions = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        consumer.assign(partitions);
        return partitions;
    }

    static void read(String address, String topic, long count) {
        try (KafkaConsumer<String, byte[]> consumer = reader(address)) {
            assigned(consumer, topic);
            long read = 0;
            long quietSinceMs = System.currentTimeMillis();
            StringBuilder lines = new StringBuilder();
            // Longer than a transaction that nobody ends may hold the readers up.
            while (System.currentTimeMillis() - quietSinceMs < (read < count ? 60_000 : 3_000)) {
                var records = consumer.poll(Duration.ofMillis(200));
                if (!records.isEmpty()) quietSinceMs = System.currentTimeMillis();
                for (var record : records) lines.append(record.key()).append(' ').append(ByteBuffer.wrap(record.value()).getLong()).append('\n');
                read += records.count();
            }
            System.out.print(lines);
        }
    }

    static void sizes(String address, String topic) {
        try (KafkaConsumer<String, byte[]> consumer = reader(address)) {
            List<TopicPartition> partitions = assigned(consumer, topic);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long start = consumer.beginningOffsets(partitions).values().stream().mapToLong(offset -> offset).sum();
            long records = 0;
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                records += consumer.poll(Duration.ofMillis(200)).count();
            }
            long end = ends.values().stream().mapToLong(offset -> offset).sum();
            System.out.println(start + " " + end + " " + records);
        }
    }
}
