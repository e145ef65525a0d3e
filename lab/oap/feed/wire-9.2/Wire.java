import io.grpc.Channel;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.skywalking.apm.network.common.v3.DetectPoint;
import org.apache.skywalking.apm.network.servicemesh.v3.ServiceMeshMetric;
import org.apache.skywalking.apm.network.servicemesh.v3.MeshProbeDownstream;
import org.apache.skywalking.apm.network.servicemesh.v3.Protocol;
import org.apache.skywalking.apm.network.servicemesh.v3.ServiceMeshMetricServiceGrpc;

/** OAP's mesh protocol up to 9.3, with SkyWalking's own classes: one metric per message. */
final class Wire {

    private final Channel channel;

    Wire(Channel channel) {
        this.channel = channel;
    }

    /** Sends the calls and waits up to 10 s for OAP's acknowledgement. */
    void send(List<Traffic.Call> calls) throws Exception {
        CompletableFuture<Void> acknowledged = new CompletableFuture<>();
        StreamObserver<ServiceMeshMetric> up = ServiceMeshMetricServiceGrpc.newStub(channel)
            .withDeadlineAfter(10, TimeUnit.SECONDS).collect(new StreamObserver<MeshProbeDownstream>() {
                public void onNext(MeshProbeDownstream message) { }
                public void onError(Throwable error) { acknowledged.completeExceptionally(error); }
                public void onCompleted() { acknowledged.complete(null); }
            });
        for (Traffic.Call call : calls) up.onNext(metric(call));
        up.onCompleted();
        acknowledged.get(10, TimeUnit.SECONDS);
    }

    private static ServiceMeshMetric metric(Traffic.Call call) {
        return ServiceMeshMetric.newBuilder()
            .setStartTime(call.start()).setEndTime(call.start() + call.latency()).setLatency(call.latency())
            .setDestServiceName(call.service()).setDestServiceInstance(call.instance()).setEndpoint(call.endpoint())
            .setResponseCode(call.ok() ? 200 : 500).setStatus(call.ok())
            .setProtocol(Protocol.HTTP).setDetectPoint(DetectPoint.server).build();
    }
}
