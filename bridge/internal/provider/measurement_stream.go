package provider

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxStreamedBytes is the maximum size of a request in a stream. A larger one would delay the others.
const maxStreamedBytes = 64 << 10

// errNotStreamed is the error of a measurement that the stream did not return, so that the caller makes a call.
var errNotStreamed = errors.New("the stream returned no measurement")

// measurementStream is one stream of measurements. It ends with its first error.
type measurementStream struct {
	stream grpc.BidiStreamingClient[contractv1.MeasureRequest, contractv1.MeasureResponse]
	outbox chan *grpc.PreparedMsg
	done   chan struct{} // closed when the stream has ended

	mu      sync.Mutex
	lastID  uint64
	pending map[uint64]chan *contractv1.Measurement // of the requests without a response
}

// newMeasurementStream opens a stream. It waits for the connection.
func newMeasurementStream(client contractv1.MetricProviderClient) (*measurementStream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := client.Measure(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	_ = stream.Context() // without it, gRPC would retry a rejected stream, and block measure meanwhile
	s := &measurementStream{
		stream: stream, outbox: make(chan *grpc.PreparedMsg), done: make(chan struct{}),
		pending: map[uint64]chan *contractv1.Measurement{},
	}
	go s.send(cancel)
	go s.receive(cancel)
	return s, nil
}

// ended reports whether the stream has ended.
func (s *measurementStream) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// measure sends a request and returns its measurement. The error is errNotStreamed, or that of the context.
func (s *measurementStream) measure(
	ctx context.Context, request *contractv1.MeasureRequest,
) (*contractv1.Measurement, error) {
	id, response := s.register()
	defer s.unregister(id)
	request.Id = id
	if deadline, ok := ctx.Deadline(); ok {
		request.TimeoutMs = uint32(min(max(1, time.Until(deadline).Milliseconds()), math.MaxUint32))
	}
	message := &grpc.PreparedMsg{}
	// Encoded here, because an error of the stream's own encoder would end the stream.
	if proto.Size(request) > maxStreamedBytes || message.Encode(s.stream, request) != nil {
		return nil, errNotStreamed
	}
	select {
	case s.outbox <- message:
	case <-s.done:
		return nil, errNotStreamed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case measurement := <-response:
		if measurement == nil {
			return nil, errNotStreamed
		}
		return measurement, nil
	case <-s.done:
		return nil, errNotStreamed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// register returns the identity of a new request, and the channel for its response.
func (s *measurementStream) register() (uint64, <-chan *contractv1.Measurement) {
	response := make(chan *contractv1.Measurement, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	s.pending[s.lastID] = response
	return s.lastID, response
}

// unregister forgets a request. Its response, if one comes later, is ignored.
func (s *measurementStream) unregister(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// send sends the messages of the outbox until the stream ends. A service that reads slowly blocks this goroutine, while
// the callers observe their deadlines.
func (s *measurementStream) send(cancel context.CancelFunc) {
	defer cancel()
	defer recoverStreamPanic()
	for {
		select {
		case message := <-s.outbox:
			if s.stream.SendMsg(message) != nil {
				return // receive gets the status
			}
		case <-s.done:
			return
		}
	}
}

// receive passes each response on to its caller until the stream ends.
func (s *measurementStream) receive(cancel context.CancelFunc) {
	defer close(s.done)
	defer cancel()
	defer recoverStreamPanic()
	for {
		response, err := s.stream.Recv()
		if err != nil {
			return
		}
		s.mu.Lock()
		channel := s.pending[response.GetId()]
		delete(s.pending, response.GetId()) // a second response to one request is ignored
		s.mu.Unlock()
		if channel != nil {
			channel <- response.GetMeasurement()
		}
	}
}

// recoverStreamPanic logs a panic of a goroutine of the stream, which would end the plugin. The stream then ends, and calls
// are made. The log has no panic value, which cannot be redacted here. Call it with defer.
func recoverStreamPanic() {
	if recover() != nil {
		hclog.Default().Error("panic in the stream of measurements", "stack", string(debug.Stack()))
	}
}
