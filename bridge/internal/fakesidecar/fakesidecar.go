// Package fakesidecar serves the contract with scripted behaviour, for tests.
package fakesidecar

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// Sidecar is a scripted provider. Set the fields that differ from the default before Start.
type Sidecar struct {
	contractv1.UnimplementedMetricProviderServer
	// Socket is the path of the unix socket; New chooses it.
	Socket string
	// Address is the TCP address to serve on instead of the socket. Start replaces port 0 by the actual port.
	Address string
	// Credentials of the server; none by default.
	Credentials credentials.TransportCredentials
	// Version is the contract version that Describe returns; "1.0" if empty.
	Version string
	// OnDescribe may change the response of Describe or return an error.
	OnDescribe func(*contractv1.DescribeResponse) error
	// OnRun, OnResume and OnMetadata replace the default response: Successful with the block as the value.
	OnRun      func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error)
	OnResume   func(context.Context, *contractv1.ResumeRequest) (*contractv1.Measurement, error)
	OnMetadata func(context.Context, *contractv1.GetMetadataRequest) (map[string]string, error)
	// OnMeasure serves a stream of measurements; StreamMeasurements is one. Without it, the service has no streams.
	OnMeasure func(*Sidecar, Stream) error

	mu       sync.Mutex
	received map[string][]any
	server   *grpc.Server
	open     atomic.Int64
}

// New returns a sidecar that is not started.
func New(t testing.TB) *Sidecar {
	t.Helper()
	// t.TempDir contains the test's name, which may exceed the length of a socket path.
	home, err := os.MkdirTemp("", "sidecar-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sidecar{Socket: filepath.Join(home, "s"), received: map[string][]any{}}
	t.Cleanup(func() { s.Kill(); os.RemoveAll(home) })
	return s
}

// Start starts the server, also again after Kill.
func (s *Sidecar) Start(t testing.TB) *Sidecar {
	t.Helper()
	_ = os.Remove(s.Socket)
	network, address := "unix", s.Socket
	if s.Address != "" {
		network, address = "tcp", s.Address
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if s.Address != "" {
		s.Address = listener.Addr().String()
	}
	options := []grpc.ServerOption{grpc.StatsHandler(connectionCounter{&s.open})}
	if s.Credentials != nil {
		options = append(options, grpc.Creds(s.Credentials))
	}
	server := grpc.NewServer(options...)
	contractv1.RegisterMetricProviderServer(server, s)
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
	return s
}

// Kill closes every connection immediately, as the end of the process would.
func (s *Sidecar) Kill() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// Stop ends the server as a process that receives SIGTERM: clients are informed, calls in flight finish, then connections end.
func (s *Sidecar) Stop() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	server.GracefulStop()
}

// Received returns the requests of one method so far, oldest first.
func Received[Request any](s *Sidecar, method string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var requests []Request
	for _, request := range s.received[method] {
		requests = append(requests, request.(Request))
	}
	return requests
}

// record stores a request for Received.
func (s *Sidecar) record(method string, request any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received[method] = append(s.received[method], request)
}

// Describe returns the version.
func (s *Sidecar) Describe(_ context.Context, r *contractv1.DescribeRequest) (*contractv1.DescribeResponse, error) {
	s.record("Describe", r)
	version := s.Version
	if version == "" {
		version = "1.0"
	}
	response := &contractv1.DescribeResponse{ContractVersion: version, Provider: "fake", Version: "0.0.1"}
	if s.OnDescribe != nil {
		return response, s.OnDescribe(response)
	}
	return response, nil
}

// Run returns Successful with the block as the value.
func (s *Sidecar) Run(ctx context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
	s.record("Run", r)
	if s.OnRun != nil {
		return s.OnRun(ctx, r)
	}
	return Finished(contractv1.Phase_PHASE_SUCCESSFUL, string(r.GetMetric().GetBlock())), nil
}

// Resume returns Successful with the block as the value.
func (s *Sidecar) Resume(ctx context.Context, r *contractv1.ResumeRequest) (*contractv1.Measurement, error) {
	s.record("Resume", r)
	if s.OnResume != nil {
		return s.OnResume(ctx, r)
	}
	return Finished(contractv1.Phase_PHASE_SUCCESSFUL, string(r.GetMetric().GetBlock())), nil
}

// Stream is a stream of measurements.
type Stream = grpc.BidiStreamingServer[contractv1.MeasureRequest, contractv1.MeasureResponse]

// Measure serves a stream.
func (s *Sidecar) Measure(stream Stream) error {
	if s.OnMeasure == nil {
		return s.UnimplementedMetricProviderServer.Measure(stream)
	}
	return s.OnMeasure(s, stream)
}

// StreamMeasurements responds to each request as Run and Resume do. The response to one that fails has no measurement.
func StreamMeasurements(s *Sidecar, stream Stream) error {
	var sending sync.Mutex
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.record("Measure", request)
		go func() {
			timeout := time.Duration(request.GetTimeoutMs()) * time.Millisecond
			ctx, cancel := context.WithTimeout(stream.Context(), timeout)
			defer cancel()
			response := &contractv1.MeasureResponse{Id: request.GetId()}
			if request.GetResume() != nil {
				response.Measurement, _ = s.Resume(ctx, request.GetResume())
			} else {
				response.Measurement, _ = s.Run(ctx, request.GetRun())
			}
			sending.Lock()
			defer sending.Unlock()
			_ = stream.Send(response)
		}()
	}
}

// Terminate returns the measurement.
func (s *Sidecar) Terminate(_ context.Context, r *contractv1.TerminateRequest) (*contractv1.Measurement, error) {
	s.record("Terminate", r)
	return r.GetMeasurement(), nil
}

// GarbageCollect returns an empty response.
func (s *Sidecar) GarbageCollect(
	_ context.Context, r *contractv1.GarbageCollectRequest,
) (*contractv1.GarbageCollectResponse, error) {
	s.record("GarbageCollect", r)
	return &contractv1.GarbageCollectResponse{}, nil
}

// GetMetadata returns the metric's name.
func (s *Sidecar) GetMetadata(
	ctx context.Context, r *contractv1.GetMetadataRequest,
) (*contractv1.GetMetadataResponse, error) {
	s.record("GetMetadata", r)
	if s.OnMetadata != nil {
		metadata, err := s.OnMetadata(ctx, r)
		return &contractv1.GetMetadataResponse{Metadata: metadata}, err
	}
	return &contractv1.GetMetadataResponse{Metadata: map[string]string{"ResolvedQuery": r.GetMetric().GetName()}}, nil
}

// Finished returns a measurement that started and ended now.
func Finished(phase contractv1.Phase, value string) *contractv1.Measurement {
	now := timestamppb.Now()
	return &contractv1.Measurement{Phase: phase, Value: value, StartedAt: now, FinishedAt: now}
}

// Running returns a measurement that resumes after a delay.
func Running(after time.Duration, metadata map[string]string) *contractv1.Measurement {
	return &contractv1.Measurement{
		Phase: contractv1.Phase_PHASE_RUNNING, Message: "NO_DATA not yet", Metadata: metadata,
		StartedAt: timestamppb.Now(), ResumeAt: timestamppb.New(time.Now().Add(after)),
	}
}

// Hang returns the context's error once the context has ended, as an unresponsive service would.
func Hang(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// StatusError returns a gRPC error with the code.
func StatusError(code codes.Code, text string) error { return status.Error(code, text) }

// Connections returns the number of open connections.
func (s *Sidecar) Connections() int { return int(s.open.Load()) }

// connectionCounter counts the open connections of a server.
type connectionCounter struct{ open *atomic.Int64 }

// HandleConn counts the begin and the end of a connection.
func (c connectionCounter) HandleConn(_ context.Context, event stats.ConnStats) {
	switch event.(type) {
	case *stats.ConnBegin:
		c.open.Add(1)
	case *stats.ConnEnd:
		c.open.Add(-1)
	}
}
func (connectionCounter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}
func (connectionCounter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connectionCounter) HandleRPC(context.Context, stats.RPCStats)                       {}
