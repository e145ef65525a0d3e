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

// sidecar is the connection to the service that does the work. It connects when it is first asked, answers at once
// while there is no connection, and agrees on the contract once per connection.
type sidecar struct {
	conn    *grpc.ClientConn
	client  contractv1.MetricProviderClient
	target  string
	version string
	asking  chan struct{} // holds one token: one Describe at a time
	agreed  atomic.Bool   // whether the present connection's contract is known to be ours
}

func newSidecar(target, version string) (*sidecar, error) {
	s := &sidecar{target: target, version: version, asking: make(chan struct{}, 1)}
	retry := backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 3 * time.Second}),
		// Only while a call waits: a silent peer is noticed before the next call is lost to it, too.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.WithStatsHandler(onConnection(func() { s.agreed.Store(false) })),
		grpc.WithNoProxy(), // the controller's proxy is for the world outside
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("address of the sidecar %s: %w", target, err)
	}
	s.conn, s.client = conn, contractv1.NewMetricProviderClient(conn)
	return s, nil
}

// ask makes one call, after the contract is agreed on.
func ask[Request, Reply any](
	ctx context.Context, s *sidecar,
	method func(context.Context, Request, ...grpc.CallOption) (Reply, error), request Request,
) (reply Reply, err error) {
	if err = s.agree(ctx); err == nil {
		reply, err = method(ctx, request)
	}
	if err != nil {
		s.agreed.Store(false)
	}
	return reply, err
}

// agree asks the sidecar for the contract's version, unless this connection has told it already.
func (s *sidecar) agree(ctx context.Context) error {
	if s.agreed.Load() {
		return nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	if s.agreed.Load() {
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
	s.agreed.Store(true)
	return nil
}

// outage is a sidecar that could not answer, and may later.
type outage struct {
	code  string // stable reason code
	cause string // in words: what, where, what to do
}

// outage tells whether err, which came after so much time, means that the sidecar is away.
func (s *sidecar) outage(err error, after time.Duration) (outage, bool) {
	failure := status.Convert(err)
	switch failure.Code() {
	case codes.Unavailable:
		_, text, found := strings.Cut(failure.Message(), "Error while dialing: ")
		if !found {
			text = failure.Message()
		}
		return outage{"PROVIDER_AWAY", fmt.Sprintf("no connection to the sidecar at %s: %s; see whether it runs",
			s.target, strings.TrimRight(text, `"`))}, true
	case codes.DeadlineExceeded:
		return outage{"PROVIDER_AWAY", fmt.Sprintf("the sidecar at %s did not answer within %s; see its log",
			s.target, after.Round(100*time.Millisecond))}, true
	case codes.Canceled:
		return outage{"PROVIDER_AWAY", fmt.Sprintf("the sidecar at %s stopped while it was measuring", s.target)}, true
	case codes.Unimplemented:
		return outage{"PROVIDER_INCOMPATIBLE", fmt.Sprintf("sidecar at %s: %s; install bridge and sidecar of one release",
			s.target, failure.Message())}, true
	default:
		return outage{}, false
	}
}

// onConnection is called whenever a connection begins or ends.
type onConnection func()

func (f onConnection) HandleConn(context.Context, stats.ConnStats)                     { f() }
func (onConnection) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (onConnection) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (onConnection) HandleRPC(context.Context, stats.RPCStats)                         {}
