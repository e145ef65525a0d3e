import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Sends a generated history of mesh telemetry to an OAP, and ends.
 *
 * Usage: History HOST PORT FILE CALLS_PER_SECOND. A line of the file is `MINUTE SERVICE INSTANCE CALLS FAILURES
 * MILLISECONDS`; MINUTE counts from the epoch, and lines are in order of time. OAP drops what it cannot queue, hence the rate.
 */
public final class History {

    private static final int CHUNK = 2000;

    public static void main(String[] args) throws Exception {
        ManagedChannel channel =
            NettyChannelBuilder.forAddress(args[0], Integer.parseInt(args[1])).usePlaintext().build();
        Wire wire = new Wire(channel);
        double perSecond = Double.parseDouble(args[3]);
        List<Traffic.Call> calls = new ArrayList<>();
        long sent = 0, startedAt = System.nanoTime();
        for (String line : Files.readAllLines(Path.of(args[2]))) {
            add(calls, line.split(" "));
            if (calls.size() < CHUNK) continue;
            sent += send(wire, calls);
            long ahead = (long) (1000 * sent / perSecond) - (System.nanoTime() - startedAt) / 1_000_000;
            if (ahead > 0) TimeUnit.MILLISECONDS.sleep(ahead);
        }
        sent += send(wire, calls);
        channel.shutdown();
        System.out.println(sent + " calls in " + (System.nanoTime() - startedAt) / 1_000_000 + " ms");
    }

    private static void add(List<Traffic.Call> calls, String[] words) {
        long minute = Long.parseLong(words[0]) * Traffic.MINUTE;
        int count = Integer.parseInt(words[3]), failures = Integer.parseInt(words[4]);
        for (int i = 0; i < count; i++)
            calls.add(new Traffic.Call(words[1], words[2], "GET:/reviews/{id}", minute + i * Traffic.MINUTE / count,
                Integer.parseInt(words[5]), i >= failures));
    }

    private static int send(Wire wire, List<Traffic.Call> calls) throws Exception {
        if (!calls.isEmpty()) wire.send(calls);
        int sent = calls.size();
        calls.clear();
        return sent;
    }
}
