import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One transactional producer, one transaction after the other: TransactionLoad ADDRESS TOPIC TRANSACTIONS RECORDS BYTES.
 * As many again go before them, uncounted. It prints the records, the milliseconds they took, and percentiles
 * of what a commit took from the last record on, so that it sends what is left of the transaction's records first.
 */
public class TransactionLoad {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int transactions = Integer.parseInt(args[2]);
        int records = Integer.parseInt(args[3]);
        byte[] value = new byte[Integer.parseInt(args[4])];
        Arrays.fill(value, (byte) 'm');
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("transactional.id", "load-" + topic);
        settings.put("linger.ms", "5");
        settings.put("batch.size", "1000000");
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            producer.initTransactions();
            run(producer, topic, transactions, records, value);
            long started = System.nanoTime();
            long[] commits = run(producer, topic, transactions, records, value);
            double elapsedMs = (System.nanoTime() - started) / 1e6;
            System.out.println("records " + (long) transactions * records + " elapsedMs " + elapsedMs
                    + Percentiles.of(commits));
        }
    }

    static long[] run(KafkaProducer<byte[], byte[]> producer, String topic, int transactions, int records, byte[] value)
            throws Exception {
        long[] commits = new long[transactions];
        List<Future<RecordMetadata>> sent = new ArrayList<>(records);
        for (int i = 0; i < transactions; i++) {
            producer.beginTransaction();
            sent.clear();
            for (int j = 0; j < records; j++) sent.add(producer.send(new ProducerRecord<>(topic, value)));
            long before = System.nanoTime();
            // Else the client may end the transaction before it has sent its records: it asks whether any are left before
            // it looks what to do next, and all of a transaction may come in between.
            producer.flush();
            producer.commitTransaction();
            commits[i] = System.nanoTime() - before;
            for (Future<RecordMetadata> each : sent) each.get();
        }
        return commits;
    }
}
