import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Members that join a new group at once, each in a thread of its own, on a topic with a record in each of as many
 * partitions: GroupJoin ADDRESS TOPIC MEMBERS PROTOCOL GROUPS. It prints percentiles of what a
 * member took from its first poll to its first record, over all groups; the first group is not counted. The latch has
 * each member stay until all have one, because whoever leaves has the others rebalance.
 */
public class GroupJoin {
    public static void main(String[] args) throws Exception {
        int members = Integer.parseInt(args[2]);
        int groups = Integer.parseInt(args[4]);
        long[] took = new long[members * groups];
        for (int group = -1; group < groups; group++) {
            long[] each = join(args[0], args[1], "join-" + args[1] + "-" + group, members, args[3]);
            if (group >= 0) System.arraycopy(each, 0, took, group * members, members);
        }
        System.out.println("members " + took.length + Percentiles.of(took));
    }

    static long[] join(String address, String topic, String group, int members, String protocol) throws Exception {
        long[] took = new long[members];
        CountDownLatch ready = new CountDownLatch(members);
        CountDownLatch served = new CountDownLatch(members);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            int member = i;
            Thread thread = new Thread(() -> {
                try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings(address, group, protocol))) {
                    consumer.subscribe(List.of(topic));
                    ready.countDown();
                    ready.await();
                    long started = System.nanoTime();
                    while (served.getCount() > 0) {
                        boolean isFirst = took[member] == 0;
                        if (!consumer.poll(Duration.ofMillis(100)).isEmpty() && isFirst) {
                            took[member] = System.nanoTime() - started;
                            served.countDown();
                        }
                    }
                } catch (InterruptedException error) {
                    throw new IllegalStateException(error);
                }
            });
            thread.setUncaughtExceptionHandler((failed, error) -> {
                error.printStackTrace();
                System.exit(1);
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) thread.join();
        return took;
    }

    static Properties settings(String address, String group, String protocol) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("group.id", group);
        settings.put("group.protocol", protocol);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        return settings;
    }
}
