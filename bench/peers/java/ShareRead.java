import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Members of a share group, each in a thread of its own, that read all of a topic once and acknowledge what each poll
 * gave before the next: ShareRead ADDRESS TOPIC RECORDS MEMBERS. Another group goes before it, uncounted. It prints the
 * records, the milliseconds from the first record to the last acknowledgement, and percentiles of what `commitSync`
 * took.
 */
public class ShareRead {
    public static void main(String[] args) throws Exception {
        long records = Long.parseLong(args[2]);
        int members = Integer.parseInt(args[3]);
        read(args[0], args[1], args[1] + "-before", records, members);
        System.out.println(read(args[0], args[1], args[1] + "-group", records, members));
    }

    static String read(String address, String topic, String group, long records, int members) throws Exception {
        Properties admin = new Properties();
        admin.put("bootstrap.servers", address);
        try (Admin client = Admin.create(admin)) {
            AlterConfigOp earliest = new AlterConfigOp(
                    new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            client.incrementalAlterConfigs(Map.of(resource, List.of(earliest))).all().get();
        }
        AtomicLong left = new AtomicLong(records);
        AtomicLong first = new AtomicLong();
        List<Long> commits = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            Thread thread = new Thread(() -> {
                try (KafkaShareConsumer<byte[], byte[]> consumer = new KafkaShareConsumer<>(settings(address, group))) {
                    consumer.subscribe(List.of(topic));
                    while (left.get() > 0) {
                        int count = consumer.poll(Duration.ofMillis(100)).count();
                        if (count == 0) continue;
                        long before = System.nanoTime();
                        first.compareAndSet(0, before);
                        consumer.commitSync();
                        long took = System.nanoTime() - before;
                        synchronized (commits) {
                            commits.add(took);
                        }
                        left.addAndGet(-count);
                    }
                }
            });
            thread.setUncaughtExceptionHandler((failed, error) -> {
                error.printStackTrace();
                System.exit(1);
            });
            threads.add(thread);
            thread.start();
        }
        while (left.get() > 0) Thread.sleep(1);
        double elapsedMs = (System.nanoTime() - first.get()) / 1e6;
        for (Thread thread : threads) thread.join();
        return "records " + (records - left.get()) + " elapsedMs " + elapsedMs
                + Percentiles.of(commits.stream().mapToLong(Long::longValue).toArray());
    }

    static Properties settings(String address, String group) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("group.id", group);
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        return settings;
    }
}
