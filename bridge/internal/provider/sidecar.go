package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// ContractMajor is the only major version of the contract that this bridge speaks.
const ContractMajor = 1

// maxReply bounds an answer in bytes, and with it the work of cleaning it. Argo could not store much more: the API
// server takes 1.5 MiB for the whole AnalysisRun.
const maxReply = 1 << 20

// sidecar is the connection to the service that does the work. It connects when it is first asked, answers at once
// while there is no connection, and agrees on the contract once per connection.
type sidecar struct {
	conn       *grpc.ClientConn
	client     contractv1.MetricProviderClient
	target     string
	version    string
	asking     chan struct{} // holds one token: one Describe at a time
	generation atomic.Int64  // raised when the connection ends, or a call on it fails
	agreed     atomic.Int64  // the generation whose contract is known to be ours
}

func newSidecar(target, version string) (*sidecar, error) {
	s := &sidecar{target: target, version: version, asking: make(chan struct{}, 1)}
	s.generation.Store(1)
	retry := backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 3 * time.Second}),
		// Only while a call waits: a silent peer is noticed before the next call is lost to it, too.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.WithStatsHandler(onEnd(func() { s.generation.Add(1) })),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
		grpc.WithUnaryInterceptor(s.agreeing),
		grpc.WithNoProxy(), // the controller's proxy is for the world outside
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("address of the sidecar %s: %w", target, err)
	}
	s.conn, s.client = conn, contractv1.NewMetricProviderClient(conn)
	return s, nil
}

// agreeing makes a call after the contract is agreed on.
func (s *sidecar) agreeing(
	ctx context.Context, method string, request, reply any,
	conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) (err error) {
	if method != contractv1.MetricProvider_Describe_FullMethodName {
		err = s.agree(ctx)
	}
	if err == nil {
		err = invoke(ctx, method, request, reply, conn, opts...)
	}
	if err != nil {
		s.generation.Add(1)
	}
	return err
}

// agree asks the sidecar for the contract's version, unless this connection has told it already.
func (s *sidecar) agree(ctx context.Context) error {
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	generation := s.generation.Load() // before Describe, which may outlive the connection that it ran on
	if s.agreed.Load() == generation {
		return nil
	}
	reply, err := s.client.Describe(ctx, &contractv1.DescribeRequest{ClientVersion: s.version})
	if err != nil {
		return err
	}
	major, _, _ := strings.Cut(reply.GetContractVersion(), ".")
	if number, err := strconv.Atoi(major); err != nil || number != ContractMajor {
		return status.Errorf(codes.Unimplemented, "%s %s speaks contract %q, this bridge (%s) contract %d",
			reply.GetProvider(), reply.GetVersion(), reply.GetContractVersion(), s.version, ContractMajor)
	}
	s.agreed.Store(generation)
	return nil
}

// outage tells by reason code and cause (what, where, what to do) that the sidecar could not answer and may later,
// from an error that came after so much time. No code: it is there, and failed.
func (s *sidecar) outage(err error, after time.Duration) (code, cause string) {
	failure := status.Convert(err)
	switch failure.Code() {
	case codes.Unavailable:
		_, text, found := strings.Cut(failure.Message(), "Error while dialing: ")
		if !found {
			text = failure.Message()
		}
		return "PROVIDER_AWAY", fmt.Sprintf("no connection to the sidecar at %s: %s; see whether it runs",
			s.target, strings.TrimRight(text, `"`))
	case codes.DeadlineExceeded:
		return "PROVIDER_AWAY", fmt.Sprintf("the sidecar at %s did not answer within %s; see its log",
			s.target, after.Round(100*time.Millisecond))
	case codes.Canceled:
		return "PROVIDER_AWAY", fmt.Sprintf("the sidecar at %s stopped while it was measuring", s.target)
	case codes.Unimplemented:
		return "PROVIDER_INCOMPATIBLE", fmt.Sprintf("sidecar at %s: %s; install bridge and sidecar of one release",
			s.target, failure.Message())
	default:
		return "", ""
	}
}

// onEnd is called whenever a connection ends.
type onEnd func()

func (f onEnd) HandleConn(_ context.Context, event stats.ConnStats) {
	if _, ended := event.(*stats.ConnEnd); ended {
		f()
	}
}
func (onEnd) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (onEnd) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (onEnd) HandleRPC(context.Context, stats.RPCStats)                         {}
