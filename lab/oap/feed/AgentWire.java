import io.grpc.Channel;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.skywalking.apm.network.common.v3.Commands;
import org.apache.skywalking.apm.network.common.v3.KeyStringValuePair;
import org.apache.skywalking.apm.network.language.agent.v3.SegmentObject;
import org.apache.skywalking.apm.network.language.agent.v3.SpanLayer;
import org.apache.skywalking.apm.network.language.agent.v3.SpanObject;
import org.apache.skywalking.apm.network.language.agent.v3.SpanType;
import org.apache.skywalking.apm.network.language.agent.v3.TraceSegmentReportServiceGrpc;
import org.apache.skywalking.apm.network.logging.v3.LogData;
import org.apache.skywalking.apm.network.logging.v3.LogDataBody;
import org.apache.skywalking.apm.network.logging.v3.LogReportServiceGrpc;
import org.apache.skywalking.apm.network.logging.v3.LogTags;
import org.apache.skywalking.apm.network.logging.v3.TextLog;
import org.apache.skywalking.apm.network.logging.v3.TraceContext;

/** The protocol of SkyWalking's agents: one segment of one span for each call, and one error log for each that fails. */
final class AgentWire {

    private static final int TOMCAT = 1;
    private final Channel channel;

    AgentWire(Channel channel) {
        this.channel = channel;
    }

    /** Sends the calls and waits up to 10 s for OAP's acknowledgement. */
    void send(List<Traffic.Call> calls) throws Exception {
        stream(TraceSegmentReportServiceGrpc.newStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS)::collect,
            calls.stream().map(AgentWire::segment).toList());
        stream(LogReportServiceGrpc.newStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS)::collect,
            calls.stream().filter(call -> !call.ok()).map(AgentWire::log).toList());
    }

    private static <T> void stream(Function<StreamObserver<Commands>, StreamObserver<T>> open, List<T> messages)
        throws Exception {
        CompletableFuture<Void> acknowledged = new CompletableFuture<>();
        StreamObserver<T> up = open.apply(new StreamObserver<Commands>() {
            public void onNext(Commands commands) { }
            public void onError(Throwable error) { acknowledged.completeExceptionally(error); }
            public void onCompleted() { acknowledged.complete(null); }
        });
        messages.forEach(up::onNext);
        up.onCompleted();
        acknowledged.get(10, TimeUnit.SECONDS);
    }

    /** A trace id that is the same for the segment and the log of one call. */
    private static String traceId(Traffic.Call call) {
        String name = call.service() + call.instance() + call.endpoint() + call.start();
        return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString();
    }

    private static SegmentObject segment(Traffic.Call call) {
        SpanObject span = SpanObject.newBuilder()
            .setSpanId(0).setParentSpanId(-1).setSpanType(SpanType.Entry).setSpanLayer(SpanLayer.Http)
            .setStartTime(call.start()).setEndTime(call.start() + call.latency())
            .setOperationName(call.endpoint()).setComponentId(TOMCAT).setIsError(!call.ok()).build();
        return SegmentObject.newBuilder()
            .setTraceId(traceId(call)).setTraceSegmentId(traceId(call) + ".1")
            .setService(call.service()).setServiceInstance(call.instance()).addSpans(span).build();
    }

    private static LogData log(Traffic.Call call) {
        return LogData.newBuilder()
            .setTimestamp(call.start()).setService(call.service()).setServiceInstance(call.instance())
            .setEndpoint(call.endpoint()).setLayer("GENERAL")
            .setTraceContext(TraceContext.newBuilder().setTraceId(traceId(call)).setTraceSegmentId(traceId(call) + ".1"))
            .setTags(LogTags.newBuilder().addData(KeyStringValuePair.newBuilder().setKey("level").setValue("ERROR")))
            .setBody(LogDataBody.newBuilder().setType("text")
                .setText(TextLog.newBuilder().setText("java.lang.IllegalStateException: review not stored")))
            .build();
    }
}
