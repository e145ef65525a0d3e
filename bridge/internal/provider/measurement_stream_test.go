package provider

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// newStreamingPlugin returns a plugin that uses a stream of measurements.
func newStreamingPlugin(t *testing.T, sidecar *fakesidecar.Sidecar, timeout time.Duration) *Plugin {
	t.Helper()
	p, err := New(Options{
		Target: "unix://" + sidecar.Socket, OutageGrace: time.Minute, RunTimeout: timeout, Version: "test", Streaming: true,
	}, hclog.NewNullLogger())
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// streamed returns the requests that the sidecar received by a stream.
func streamed(s *fakesidecar.Sidecar) []*contractv1.MeasureRequest {
	return fakesidecar.Received[*contractv1.MeasureRequest](s, "Measure")
}

// runUntilStreamed makes measurements until the first one by the stream, which opens in the background.
func runUntilStreamed(t *testing.T, p *Plugin, sidecar *fakesidecar.Sidecar) {
	t.Helper()
	before := len(streamed(sidecar))
	require.Eventually(t, func() bool {
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
		return len(streamed(sidecar)) > before
	}, time.Minute, time.Millisecond)
}

// allowReopening makes the plugin open the next stream at once.
func allowReopening(p *Plugin) {
	client := p.sidecar.client.(*streamingClient)
	client.mu.Lock()
	defer client.mu.Unlock()
	client.reopenAt = time.Time{}
}

func TestStreamMeasurementsOfManyCallersAreNotMixed(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = fakesidecar.StreamMeasurements
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	runUntilStreamed(t, p, sidecar)
	calls := len(fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run")) - len(streamed(sidecar))

	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			block := fmt.Sprintf(`{"query":"q%d"}`, i)
			if i%2 == 0 {
				assert.Equal(t, block, p.Run(nil, metricWithBlock(block)).Value)
			} else {
				previous := v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseRunning}
				assert.Equal(t, block, p.Resume(nil, metricWithBlock(block), previous).Value)
			}
		})
	}
	group.Wait()
	require.Len(t, fakesidecar.Received[*contractv1.ResumeRequest](sidecar, "Resume"), 100)
	requests := streamed(sidecar)
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), calls+len(requests)-100, "all by the stream")
	for _, request := range requests {
		require.InDelta(t, 29_500, request.GetTimeoutMs(), 29_000)
	}
}

func TestStreamNotServedCallsAreMade(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	p := newStreamingPlugin(t, sidecar, 30*time.Second)
	for range 3 {
		allowReopening(p)
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
	}
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), 3)
}

func TestStreamEndsMeasurementIsRepeatedByCallAndNextStreamIsOpened(t *testing.T) {
	var once sync.Once
	started := make(chan struct{})
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = fakesidecar.StreamMeasurements
	sidecar.OnRun = func(ctx context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if string(r.GetMetric().GetBlock()) == `{"query":"hangs"}` {
			once.Do(func() { close(started); <-ctx.Done() })
		}
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, "1"), nil
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	runUntilStreamed(t, p, sidecar)
	go func() {
		<-started
		sidecar.Kill()
		sidecar.Start(t)
	}()
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metricWithBlock(`{"query":"hangs"}`)).Phase)

	allowReopening(p)
	runUntilStreamed(t, p, sidecar)
}

func TestStreamResponseWithoutMeasurementCallIsMade(t *testing.T) {
	var received atomic.Int64
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = func(_ *fakesidecar.Sidecar, stream fakesidecar.Stream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return nil
			}
			received.Add(1)
			_ = stream.Send(&contractv1.MeasureResponse{Id: request.GetId() + 1000}) // of no caller
			_ = stream.Send(&contractv1.MeasureResponse{Id: request.GetId()})
			_ = stream.Send(&contractv1.MeasureResponse{Id: request.GetId()}) // once more
		}
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	client := p.sidecar.client.(*streamingClient)
	require.Eventually(t, func() bool { return client.openStream() != nil }, time.Minute, time.Millisecond)
	for calls := 1; calls <= 20; calls++ {
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
		require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), calls)
		require.EqualValues(t, calls, received.Load())
	}
}

func TestStreamLargeRequestCallIsMade(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = fakesidecar.StreamMeasurements
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	runUntilStreamed(t, p, sidecar)
	before := len(streamed(sidecar))
	run := &v1alpha1.AnalysisRun{}
	run.Labels = map[string]string{"large": strings.Repeat("l", maxStreamedBytes)}
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(run, metric).Phase)
	require.Len(t, streamed(sidecar), before)
}

// A service that reads nothing fills the window of the stream, so that sending blocks.
func TestStreamServiceDoesNotReadEveryCallerMeetsItsDeadline(t *testing.T) {
	reading := make(chan struct{})
	closeReading := sync.OnceFunc(func() { close(reading) })
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = func(_ *fakesidecar.Sidecar, stream fakesidecar.Stream) error {
		_, _ = stream.Recv()
		closeReading()
		<-stream.Context().Done()
		return nil
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 2*time.Second)
	require.Eventually(t, func() bool {
		p.Run(nil, metric)
		select {
		case <-reading:
			return true
		default:
			return false
		}
	}, time.Minute, time.Millisecond)

	block := fmt.Sprintf(`{"query":%q}`, strings.Repeat("q", maxStreamedBytes/2))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			m := p.Run(nil, metricWithBlock(block))
			assert.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
			assert.Contains(t, m.Message, "PROVIDER_UNAVAILABLE sidecar at unix://")
			assert.Contains(t, m.Message, "sent no response within ") // a busy machine rounds 1.5 s up
		})
	}
	group.Wait()
}

func TestStreamsOpenedWhileNotConnectedAreOne(t *testing.T) {
	var streams atomic.Int64
	var once sync.Once
	describing, described := make(chan struct{}), make(chan struct{})
	sidecar := fakesidecar.New(t)
	sidecar.OnDescribe = func(*contractv1.DescribeResponse) error {
		once.Do(func() { close(describing) })
		<-described
		return nil
	}
	sidecar.OnMeasure = func(s *fakesidecar.Sidecar, stream fakesidecar.Stream) error {
		streams.Add(1)
		return fakesidecar.StreamMeasurements(s, stream)
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	client := p.sidecar.client.(*streamingClient)
	require.Nil(t, client.openStream())
	<-describing // the first stream waits for the check of the connection
	for range 3 {
		allowReopening(p)
		require.Nil(t, client.openStream())
	}
	close(described)
	require.Eventually(t, func() bool {
		p.Run(nil, metric)
		return len(streamed(sidecar)) > 0
	}, time.Minute, time.Millisecond)
	// A further stream would be open, because its opening began before the measurement.
	require.Never(t, func() bool { return streams.Load() > 1 }, 200*time.Millisecond, time.Millisecond)
}

// gRPC retries calls that are rejected as unavailable, and a measurement would wait for the pauses beyond its deadline.
func TestStreamRejectedIsNotRetried(t *testing.T) {
	var streams atomic.Int64
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = func(*fakesidecar.Sidecar, fakesidecar.Stream) error {
		streams.Add(1)
		return fakesidecar.StatusError(codes.Unavailable, "stream rejected")
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 30*time.Second)
	stream, err := newMeasurementStream(p.sidecar.client)
	require.NoError(t, err)
	<-stream.done
	require.EqualValues(t, 1, streams.Load())
}

func TestStreamEndsManyPendingMeasurementsAreRepeatedByCalls(t *testing.T) {
	const pending = 1000
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = func(_ *fakesidecar.Sidecar, stream fakesidecar.Stream) error {
		for range pending {
			if _, err := stream.Recv(); err != nil {
				return err
			}
		}
		return fakesidecar.StatusError(codes.Internal, "stream failed")
	}
	p := newStreamingPlugin(t, sidecar.Start(t), 5*time.Minute)
	client := p.sidecar.client.(*streamingClient)
	require.Eventually(t, func() bool { return client.openStream() != nil }, time.Minute, time.Millisecond)
	stream := client.openStream()

	var group sync.WaitGroup
	for i := range pending {
		group.Go(func() {
			block := fmt.Sprintf(`{"query":"q%d"}`, i)
			assert.Equal(t, block, p.Run(nil, metricWithBlock(block)).Value)
		})
	}
	group.Wait()
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), pending)
	require.Empty(t, stream.pending)
}

// brokenStream is a stream whose methods panic, as with a bug in gRPC.
type brokenStream struct {
	grpc.BidiStreamingClient[contractv1.MeasureRequest, contractv1.MeasureResponse]
	ctx         context.Context
	panicOnRecv bool
}

func (s brokenStream) Context() context.Context { return s.ctx }

func (s brokenStream) SendMsg(any) error { panic("bug") }

func (s brokenStream) Recv() (*contractv1.MeasureResponse, error) {
	if s.panicOnRecv {
		panic("bug")
	}
	<-s.ctx.Done()
	return nil, s.ctx.Err()
}

// brokenClient is a client whose streams are broken.
type brokenClient struct {
	contractv1.MetricProviderClient
	panicOnOpen, panicOnRecv bool
}

func (c brokenClient) Measure(
	ctx context.Context, _ ...grpc.CallOption,
) (grpc.BidiStreamingClient[contractv1.MeasureRequest, contractv1.MeasureResponse], error) {
	if c.panicOnOpen {
		panic("bug")
	}
	return brokenStream{ctx: ctx, panicOnRecv: c.panicOnRecv}, nil
}

func TestStreamPanicsOnlyTheStreamEnds(t *testing.T) {
	receiving, err := newMeasurementStream(brokenClient{panicOnRecv: true})
	require.NoError(t, err)
	<-receiving.done

	sending, err := newMeasurementStream(brokenClient{})
	require.NoError(t, err)
	sending.outbox <- &grpc.PreparedMsg{}
	<-sending.done

	opening := &streamingClient{MetricProviderClient: brokenClient{panicOnOpen: true}}
	opening.open()
	require.Nil(t, opening.openStream())
}

func TestStreamTimeoutBeyondItsFieldIsTheLongest(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnMeasure = fakesidecar.StreamMeasurements
	p := newStreamingPlugin(t, sidecar.Start(t), 1<<32*time.Millisecond+time.Hour)
	runUntilStreamed(t, p, sidecar)
	require.EqualValues(t, 1<<32-1, streamed(sidecar)[0].GetTimeoutMs())
}
