package provider

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// reopenInterval is the time between two attempts to open a stream.
const reopenInterval = 5 * time.Second

// streamingClient is a client whose Run and Resume use one stream of measurements instead of a call each. The stream saves
// time only: without one, and for each measurement that the stream does not return, it makes the call, which is idempotent.
// Errors are therefore those of calls.
type streamingClient struct {
	contractv1.MetricProviderClient

	mu       sync.Mutex
	stream   *measurementStream // nil until the first one is open
	opening  bool               // whether the next one is being opened
	reopenAt time.Time          // time from which on a stream may be opened
}

// Run starts a measurement.
func (c *streamingClient) Run(
	ctx context.Context, in *contractv1.RunRequest, options ...grpc.CallOption,
) (*contractv1.Measurement, error) {
	return c.measure(ctx, &contractv1.MeasureRequest{Request: &contractv1.MeasureRequest_Run{Run: in}},
		func() (*contractv1.Measurement, error) { return c.MetricProviderClient.Run(ctx, in, options...) })
}

// Resume continues a measurement.
func (c *streamingClient) Resume(
	ctx context.Context, in *contractv1.ResumeRequest, options ...grpc.CallOption,
) (*contractv1.Measurement, error) {
	return c.measure(ctx, &contractv1.MeasureRequest{Request: &contractv1.MeasureRequest_Resume{Resume: in}},
		func() (*contractv1.Measurement, error) { return c.MetricProviderClient.Resume(ctx, in, options...) })
}

// measure returns the measurement of a request by the stream, or else by a call.
func (c *streamingClient) measure(
	ctx context.Context, request *contractv1.MeasureRequest, call func() (*contractv1.Measurement, error),
) (*contractv1.Measurement, error) {
	if stream := c.openStream(); stream != nil {
		measurement, err := stream.measure(ctx, request)
		switch {
		case err == nil:
			return measurement, nil
		case ctx.Err() != nil:
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	return call()
}

// openStream returns the open stream. Without one, it returns nil and opens one in the background: while the connection is
// established, that may take longer than a measurement.
func (c *streamingClient) openStream() *measurementStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil && !c.stream.ended() {
		return c.stream
	}
	if now := time.Now(); !c.opening && now.After(c.reopenAt) {
		c.opening, c.reopenAt = true, now.Add(reopenInterval)
		go c.open()
	}
	return nil
}

// open opens a stream. An error is not reported: the next call has it, too.
func (c *streamingClient) open() {
	defer recoverStreamPanic()
	stream, err := newMeasurementStream(c.MetricProviderClient)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opening = false
	if err == nil {
		c.stream = stream
	}
}
