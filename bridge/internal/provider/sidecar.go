package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxReply bounds an answer in bytes, and with it the work of cleaning it. Argo could not store much more: the API
// server takes 1.5 MiB for the whole AnalysisRun.
const maxResponseBytes = 1 << 20

// serviceConfig balances, and makes a call once more whose connection ended: every method can be, and after the pause
// another replica is picked. Both attempts share the deadline of the call.
const serviceConfig = `{
	"loadBalancingConfig": [{"` + contractRoundRobin + `": {}}],
	"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 2, "initialBackoff": "0.1s", "maxBackoff": "0.1s", "backoffMultiplier": 1,
		"retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]
	}}]
}`

// sidecar is the service that does the work: one connection for each of its addresses. They are made when it is first
// asked; while there is none a call is answered at once.
type sidecar struct {
	conn   connection
	client contractv1.MetricProviderClient
	target string
	hint   string // where there is no connection
}

// connection is a grpc.ClientConn, or more than one in the course of time.
type connection interface {
	grpc.ClientConnInterface
	GetState() connectivity.State
	Close() error
}

func dial(target, version string, transport credentials.TransportCredentials) (*grpc.ClientConn, error) {
	retry := backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(transport),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 3 * time.Second}),
		// Only while a call waits: a silent peer is noticed before the next call is lost to it, too.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)),
		grpc.WithNoProxy(),              // the controller's proxy is for the world outside
		grpc.WithDisableServiceConfig(), // the name server's; ours is the default
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUserAgent(version),
	)
}

func newSidecar(options Options, log hclog.Logger) (*sidecar, error) {
	s := &sidecar{target: options.Target, hint: "see whether it runs"}
	transport := insecure.NewCredentials()
	if options.TLS != nil {
		transport = options.TLS.credentials()
		s.hint += ", and whether --tls-ca, --tls-cert and --tls-key fit it"
	}
	connect := func() (*grpc.ClientConn, error) { return dial(options.Target, options.Version, transport) }
	var err error
	if options.TLS != nil {
		s.conn, err = newReloadingConn(connect, *options.TLS, reloadInterval, options.RunTimeout, log)
	} else {
		s.conn, err = connect()
	}
	if err != nil {
		return nil, fmt.Errorf("address of the sidecar %s: %w", options.Target, err)
	}
	s.client = contractv1.NewMetricProviderClient(s.conn)
	return s, nil
}

// outage tells by reason code and cause (what, where, what to do) that the sidecar could not answer and may later,
// from an error that came after so much time. No code: it is there, and failed.
func (s *sidecar) classifyError(err error, elapsed time.Duration) (code, cause string) {
	rpcStatus := status.Convert(err)
	text := rpcStatus.Message()
	switch rpcStatus.Code() {
	case codes.Unavailable:
		if _, reason, found := strings.Cut(text, incompatiblePrefix); found {
			return "PROVIDER_INCOMPATIBLE", fmt.Sprintf("sidecar at %s: %s; install bridge and sidecar of one release",
				s.target, reason)
		}
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("no connection to the sidecar at %s: %s; %s", s.target, trimGRPCPrefix(text), s.hint)
	case codes.DeadlineExceeded:
		duration := elapsed.Round(100 * time.Millisecond)
		if s.conn.GetState() != connectivity.Ready {
			return "PROVIDER_UNAVAILABLE", fmt.Sprintf("no connection to the sidecar at %s within %s; %s", s.target, duration, s.hint)
		}
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("the sidecar at %s did not answer within %s; see its log", s.target, duration)
	case codes.Canceled:
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("the sidecar at %s stopped while it was measuring", s.target)
	case codes.PermissionDenied, codes.Unauthenticated:
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("the sidecar at %s refuses this bridge: %s", s.target, text)
	case codes.Unimplemented:
		return "PROVIDER_INCOMPATIBLE", fmt.Sprintf("sidecar at %s: %s; install bridge and sidecar of one release",
			s.target, text)
	default:
		return "", ""
	}
}

// withoutGRPC cuts off what gRPC puts before the reason of a failure.
func trimGRPCPrefix(text string) string {
	for _, prefix := range []string{`desc = "transport: `, "Error while dialing: ", "pickfirst: health check failure: "} {
		if _, after, found := strings.Cut(text, prefix); found {
			text = after
		}
	}
	return strings.TrimRight(text, `"`)
}
