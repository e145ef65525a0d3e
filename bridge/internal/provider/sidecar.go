package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxResponseBytes is the maximum size of a response, which bounds the work of its redaction. Argo could not store much
// more: the API server accepts 1.5 MiB for the whole AnalysisRun.
const maxResponseBytes = 1 << 20

// serviceConfig selects the balancer policy and retries a call if its connection ends, or if the sidecar is overloaded. Every
// method is idempotent, and after the pause the balancer picks another replica. All attempts share the deadline of the call.
// The pauses are short, because a sidecar that is overloaded sets a longer one (grpc-retry-pushback-ms).
const serviceConfig = `{
	"loadBalancingConfig": [{"` + contractRoundRobin + `": {}}],
	"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]
	}}]
}`

// sidecar is the client of the service, with one connection per address. The first call opens the connections; without an
// established connection a call fails immediately.
type sidecar struct {
	conn   connection
	client contractv1.MetricProviderClient
	target string
	hint   string // next step if there is no connection
}

// connection is a grpc.ClientConn or a reloadingConn.
type connection interface {
	grpc.ClientConnInterface
	GetState() connectivity.State
	Close() error
}

// dial returns a gRPC client of the target. It opens no connection.
func dial(target, version string, transport credentials.TransportCredentials) (*grpc.ClientConn, error) {
	retry := backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(transport),
		grpc.WithResolvers(nameBuilder{resolver.Get("dns")}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 3 * time.Second}),
		// Pings are sent only during a call. They detect an unresponsive server before the next call uses it.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)),
		grpc.WithMaxHeaderListSize(maxResponseBytes), // bounds the text of an error
		grpc.WithNoProxy(),              // the controller's proxy is for hosts outside the cluster
		grpc.WithDisableServiceConfig(), // ignore the name server's service config
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUnaryInterceptor(detectOverload),
		grpc.WithUserAgent(version),
	)
}

// newSidecar returns the client of the service that the options name.
func newSidecar(options Options, log hclog.Logger) (*sidecar, error) {
	s := &sidecar{target: options.Target, hint: "Check that it is running"}
	transport := insecure.NewCredentials()
	if options.TLS != nil {
		transport = options.TLS.credentials()
		s.hint += ", and that it accepts --tls-ca, --tls-cert and --tls-key"
	}
	s.hint += "."
	connect := func() (*grpc.ClientConn, error) { return dial(options.Target, options.Version, transport) }
	var err error
	if options.TLS != nil {
		s.conn, err = newReloadingConn(connect, *options.TLS, reloadInterval, options.RunTimeout, log)
	} else {
		s.conn, err = connect()
	}
	if err != nil {
		return nil, fmt.Errorf("sidecar address %s: %w", options.Target, err)
	}
	s.client = NewClient(s.conn, options.Streaming)
	return s, nil
}

// NewClient returns a client of the service over a connection. With streaming, measurements use one stream, so that all of
// them go to the same replica.
func NewClient(conn grpc.ClientConnInterface, streaming bool) contractv1.MetricProviderClient {
	client := contractv1.NewMetricProviderClient(conn)
	if streaming {
		return &streamingClient{MetricProviderClient: client}
	}
	return client
}

// reasonTrailer is the trailer of a call that failed with Unavailable: the reason code for its measurement.
const reasonTrailer = "metricprovider-reason"

// overloadedError is the error of a call that the sidecar rejected because it is overloaded.
type overloadedError struct{ error }

// GRPCStatus returns the status that the sidecar sent.
func (e overloadedError) GRPCStatus() *status.Status { return status.Convert(e.error) }

// detectOverload is a client interceptor that makes an overloadedError of the error of an overloaded sidecar.
func detectOverload(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	var trailer metadata.MD
	err := invoke(ctx, method, request, reply, conn, append(options, grpc.Trailer(&trailer))...)
	if status.Code(err) == codes.Unavailable && slices.Contains(trailer.Get(reasonTrailer), "PROVIDER_OVERLOADED") {
		return overloadedError{err}
	}
	return err
}

// classifyError returns the reason code and the cause of an error if the sidecar is unavailable or incompatible, so that a
// later call may succeed. It returns no code if the sidecar processed the call and failed. elapsed is the duration of the
// call.
func (s *sidecar) classifyError(err error, elapsed time.Duration) (code, cause string) {
	rpcStatus := status.Convert(err)
	text := strings.TrimRight(rpcStatus.Message(), ".") // the next sentence follows
	if errors.As(err, &overloadedError{}) {
		return "PROVIDER_OVERLOADED", fmt.Sprintf("sidecar at %s: %s.", s.target, text)
	}
	switch rpcStatus.Code() {
	case codes.Unavailable:
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("no connection to the sidecar at %s: %s. %s", s.target, trimGRPCPrefix(text), s.hint)
	case codes.DeadlineExceeded:
		duration := elapsed.Round(100 * time.Millisecond)
		if s.conn.GetState() != connectivity.Ready {
			return "PROVIDER_UNAVAILABLE", fmt.Sprintf("no connection to the sidecar at %s within %s. %s", s.target, duration, s.hint)
		}
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("sidecar at %s sent no response within %s. See its log.", s.target, duration)
	case codes.Canceled:
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("sidecar at %s stopped during the measurement. See its log.", s.target)
	case codes.PermissionDenied, codes.Unauthenticated:
		return "PROVIDER_UNAVAILABLE", fmt.Sprintf("sidecar at %s rejected this bridge: %s. Check the bridge's certificate.",
			s.target, text)
	case codes.Unimplemented:
		return "PROVIDER_INCOMPATIBLE", fmt.Sprintf("sidecar at %s: %s. Install bridge and sidecar of one release.",
			s.target, text)
	default:
		return "", ""
	}
}

// trimGRPCPrefix removes the text that gRPC puts before the reason of a failure.
func trimGRPCPrefix(text string) string {
	for _, prefix := range []string{`desc = "transport: `, "Error while dialing: ", "pickfirst: health check failure: "} {
		if _, after, found := strings.Cut(text, prefix); found {
			text = after
		}
	}
	return strings.TrimRight(text, `".`)
}
