import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Calls that a service receives, as a function of time only: minute m of the epoch has perMinute[m modulo its size] calls. */
record Traffic(String service, Profile profile, List<Integer> perMinute, List<String> instances,
    boolean isNew, boolean hasAgent) {

    static final long MINUTE = 60_000;

    /** Latencies of a service in milliseconds; every errorEvery-th call fails (0: no call fails). */
    enum Profile {
        /** Apdex 1, success rate 1, 62 ms on average. */
        good(0, 30, 35, 40, 45, 50, 55, 60, 70, 90, 150),
        /** The latencies of `good`, success rate 0.99. */
        usual(100, 30, 35, 40, 45, 50, 55, 60, 70, 90, 150),
        /** The latencies of `good`, success rate 0.98. */
        doubtful(50, 30, 35, 40, 45, 50, 55, 60, 70, 90, 150),
        /** Apdex 0.85, success rate 0.9, 350 ms on average. */
        bad(10, 80, 100, 120, 150, 180, 220, 300, 450, 700, 1200),
        /** Apdex 0.5, success rate 1, 1200 ms on average. */
        slow(0, 900, 1000, 1100, 1150, 1200, 1200, 1250, 1300, 1400, 1500);

        final int errorEvery;
        final int[] latencies;

        Profile(int errorEvery, int... latencies) {
            this.errorEvery = errorEvery;
            this.latencies = latencies;
        }
    }

    /** One call, as reported by the service's sidecar. */
    record Call(String service, String instance, String endpoint, long start, int latency, boolean ok) { }

    /** Key of a table row, independent of its profile: a service may have one row for each version. */
    String row() {
        return service + instances;
    }

    /** Returns the calls that start in (from, to], both in epoch milliseconds. */
    List<Call> between(long from, long to) {
        List<Call> calls = new ArrayList<>();
        for (long minute = from / MINUTE * MINUTE; minute <= to; minute += MINUTE) {
            int count = perMinute.get((int) (minute / MINUTE % perMinute.size()));
            for (int i = 0; i < count; i++) {
                long start = minute + i * MINUTE / count;
                if (start > from && start <= to) calls.add(call(i, start));
            }
        }
        return calls;
    }

    private Call call(int i, long start) {
        boolean failed = profile.errorEvery > 0 && i % profile.errorEvery == profile.errorEvery - 1;
        return new Call(service, instances.get(i % instances.size()), i % 2 == 0 ? "GET:/reviews/{id}" : "POST:/reviews",
            start, profile.latencies[i % profile.latencies.length], !failed);
    }

    /** Reads the table of services. The error for an invalid line contains its number. */
    static List<Traffic> read(Path table) throws IOException {
        List<Traffic> all = new ArrayList<>();
        int number = 0;
        for (String line : Files.readAllLines(table)) {
            number++;
            String[] words = line.strip().split("\\s+");
            if (words[0].isEmpty() || words[0].startsWith("#")) continue;
            try {
                String service = words[1];
                String version = service.split("\\|")[0];
                List<String> flags = List.of(words).subList(Math.min(4, words.length), words.length);
                if (!List.of("new", "agent").containsAll(flags)) throw new IllegalArgumentException(flags.toString());
                all.add(new Traffic(service, Profile.valueOf(words[0]),
                    Arrays.stream(words[2].split("/")).map(Integer::valueOf).toList(),
                    words.length > 3 ? List.of(words[3].split(",")) : List.of(version + "-0", version + "-1"),
                    flags.contains("new"), flags.contains("agent")));
            } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException error) {
                throw new IOException(table + ":" + number + ": expected `good|usual|doubtful|bad|slow SERVICE CALLS[/CALLS...] [INSTANCE,... [new] [agent]]`, got: " + line);
            }
        }
        return all;
    }
}
