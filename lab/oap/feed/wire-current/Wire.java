import io.grpc.Channel;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.skywalking.apm.network.common.v3.DetectPoint;
import org.apache.skywalking.apm.network.servicemesh.v3.HTTPServiceMeshMetric;
import org.apache.skywalking.apm.network.servicemesh.v3.HTTPServiceMeshMetrics;
import org.apache.skywalking.apm.network.servicemesh.v3.MeshProbeDownstream;
import org.apache.skywalking.apm.network.servicemesh.v3.Protocol;
import org.apache.skywalking.apm.network.servicemesh.v3.ServiceMeshMetricServiceGrpc;
import org.apache.skywalking.apm.network.servicemesh.v3.ServiceMeshMetrics;

/** OAP's mesh protocol since 9.4, with SkyWalking's own classes: batches of HTTP metrics. */
final class Wire {

    private static final int BATCH = 100;
    private final Channel channel;

    Wire(Channel channel) {
        this.channel = channel;
    }

    /** Sends the calls and waits up to 10 s for OAP's acknowledgement. */
    void send(List<Traffic.Call> calls) throws Exception {
        CompletableFuture<Void> acknowledged = new CompletableFuture<>();
        StreamObserver<ServiceMeshMetrics> up = ServiceMeshMetricServiceGrpc.newStub(channel)
            .withDeadlineAfter(10, TimeUnit.SECONDS).collect(new StreamObserver<MeshProbeDownstream>() {
                public void onNext(MeshProbeDownstream message) { }
                public void onError(Throwable error) { acknowledged.completeExceptionally(error); }
                public void onCompleted() { acknowledged.complete(null); }
            });
        for (int at = 0; at < calls.size(); at += BATCH) {
            HTTPServiceMeshMetrics.Builder batch = HTTPServiceMeshMetrics.newBuilder();
            for (Traffic.Call call : calls.subList(at, Math.min(calls.size(), at + BATCH))) batch.addMetrics(metric(call));
            up.onNext(ServiceMeshMetrics.newBuilder().setHttpMetrics(batch).build());
        }
        up.onCompleted();
        acknowledged.get(10, TimeUnit.SECONDS);
    }

    private static HTTPServiceMeshMetric metric(Traffic.Call call) {
        return HTTPServiceMeshMetric.newBuilder()
            .setStartTime(call.start()).setEndTime(call.start() + call.latency()).setLatency(call.latency())
            .setDestServiceName(call.service()).setDestServiceInstance(call.instance()).setEndpoint(call.endpoint())
            .setResponseCode(call.ok() ? 200 : 500).setStatus(call.ok())
            .setProtocol(Protocol.HTTP).setDetectPoint(DetectPoint.server).build();
    }
}
