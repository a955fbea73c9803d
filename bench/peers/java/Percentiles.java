import java.util.Arrays;

/** How many latencies there are, and their percentiles by nearest rank; what they prove is for who reads them to say. */
final class Percentiles {
    private Percentiles() {}

    /** Sorts `nanoseconds`, of which there is one at least. */
    static String of(long[] nanoseconds) {
        Arrays.sort(nanoseconds);
        return " latencies " + nanoseconds.length
                + " p50Ms " + at(nanoseconds, 0.5) + " p90Ms " + at(nanoseconds, 0.9) + " p99Ms " + at(nanoseconds, 0.99);
    }

    private static double at(long[] sorted, double share) {
        return sorted[(int) Math.ceil(share * sorted.length) - 1] / 1e6;
    }
}
