import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Members of one group, each in a thread of its own: GroupMembers ADDRESS GROUP TOPIC COUNT PROTOCOL…
 * A protocol is `consumer`, `classic` or `regex` (of the consumer protocol, TOPIC being the expression). They read until they have COUNT
 * different values together, commit what they read, and print each value and each assignment; the members then leave one
 * after the other.
 */
public class GroupMembers {
    static final java.util.Set<String> values = java.util.concurrent.ConcurrentHashMap.newKeySet();

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[3]);
        List<Thread> members = new ArrayList<>();
        for (int i = 4; i < args.length; i++) {
            String protocol = args[i];
            String name = protocol + (i - 4);
            Thread member = new Thread(() -> read(args[0], args[1], args[2], count, protocol, name));
            member.setUncaughtExceptionHandler((thread, error) -> {
                error.printStackTrace();
                System.exit(1);
            });
            members.add(member);
            member.start();
            Thread.sleep(1500);
        }
        for (Thread member : members) member.join();
        System.out.println("all " + values.size());
    }

    static void read(String address, String group, String topic, int count, String protocol, String name) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("group.id", group);
        settings.put("client.id", name);
        settings.put("group.protocol", protocol.equals("classic") ? "classic" : "consumer");
        if (protocol.equals("classic")) {
            settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            settings.put("heartbeat.interval.ms", "500");
        }
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("max.poll.records", "20");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    System.out.println(name + " revoked " + partitions);
                }

                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    System.out.println(name + " assigned " + partitions);
                }
            };
            if (protocol.equals("regex")) consumer.subscribe(new SubscriptionPattern(topic), listener);
            else consumer.subscribe(List.of(topic), listener);
            while (values.size() < count) {
                var records = consumer.poll(Duration.ofMillis(100));
                records.forEach(record -> {
                    if (!values.add(record.value())) System.out.println(name + " again " + record.value());
                });
                try {
                    if (!records.isEmpty()) consumer.commitSync(Duration.ofSeconds(20));
                } catch (org.apache.kafka.clients.consumer.CommitFailedException
                        | org.apache.kafka.common.errors.RebalanceInProgressException error) {
                    System.out.println(name + " fenced " + error.getClass().getSimpleName());
                }
                try {
                    Thread.sleep(20);
                } catch (InterruptedException error) {
                    return;
                }
            }
            System.out.println(name + " leaves with " + consumer.assignment());
        }
    }
}
