import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Sends mesh telemetry, or an agent's segments and logs, to an OAP: first the past minutes of every service that is not new, then one batch per second.
 *
 * Usage: Feed HOST PORT TABLE BACKFILL_MINUTES. Calls that an unavailable OAP did not accept are sent again.
 */
public final class Feed {

    private final ManagedChannel channel;
    private final Wire wire;
    private final AgentWire agentWire;
    private final Path table;
    private final int backfill;
    private final Map<String, Long> fedUntil = new HashMap<>();
    private List<Traffic> services = List.of();
    private FileTime readAt = FileTime.fromMillis(0);

    private Feed(ManagedChannel channel, Path table, int backfill) {
        this.channel = channel;
        this.wire = new Wire(channel);
        this.agentWire = new AgentWire(channel);
        this.table = table;
        this.backfill = backfill;
    }

    public static void main(String[] args) throws Exception {
        ManagedChannel channel =
            NettyChannelBuilder.forAddress(args[0], Integer.parseInt(args[1])).usePlaintext().build();
        Feed feed = new Feed(channel, Path.of(args[2]), Integer.parseInt(args[3]));
        String lastError = "";
        while (true) {
            try {
                feed.tick();
                lastError = "";
            } catch (Exception error) {
                if (!lastError.equals(error.toString())) say("retry every second: " + (lastError = error.toString()));
                feed.channel.resetConnectBackoff(); // without this, the pauses between connections would grow
            }
            TimeUnit.MILLISECONDS.sleep(1000 - System.currentTimeMillis() % 1000);
        }
    }

    /** Sends all calls that are due. The progress of a service is stored only after OAP has acknowledged its calls. */
    private void tick() throws Exception {
        readTable();
        long now = System.currentTimeMillis();
        for (Traffic service : services) {
            long past = now / Traffic.MINUTE * Traffic.MINUTE - backfill * Traffic.MINUTE - 1;
            boolean first = !fedUntil.containsKey(service.row());
            long from = first ? (service.isNew() ? now : past) : fedUntil.get(service.row());
            List<Traffic.Call> calls = service.between(from, now);
            if (!calls.isEmpty() && service.hasAgent()) agentWire.send(calls);
            else if (!calls.isEmpty()) wire.send(calls);
            fedUntil.put(service.row(), now);
            if (first) say("caught up: " + calls.size() + " calls of " + service.service());
        }
    }

    private void readTable() throws IOException {
        FileTime changed = Files.getLastModifiedTime(table);
        if (changed.equals(readAt)) return;
        services = Traffic.read(table);
        readAt = changed;
        List<String> words = new ArrayList<>();
        for (Traffic service : services) words.add(service.service() + " " + service.profile());
        say("table read: " + String.join(", ", words));
    }

    private static void say(String text) {
        System.out.println(Instant.now() + " " + text);
    }
}
