package provider

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

// startReplica starts a sidecar on TCP that returns its name as the value.
func startReplica(t *testing.T, name string) *fakesidecar.Sidecar {
	return startReplicaWithContract(t, "1.0", name)
}

// startReplicaWithContract starts a replica that serves this version of the contract.
func startReplicaWithContract(t *testing.T, version, name string) *fakesidecar.Sidecar {
	s := fakesidecar.New(t)
	s.Address, s.Version = "127.0.0.1:0", version
	s.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, name), nil
	}
	return s.Start(t)
}

// testResolver resolves one name. Each test has its own URI scheme.
type testResolver struct {
	*manual.Resolver
	resolveCount atomic.Int64
}

var schemes atomic.Int64

// newBalancedPlugin returns a plugin whose target resolves to the addresses.
func newBalancedPlugin(t *testing.T, addresses ...string) (*Plugin, *testResolver, *logBuffer) {
	t.Helper()
	n := &testResolver{Resolver: manual.NewBuilderWithScheme(fmt.Sprintf("names%d", schemes.Add(1)))}
	n.ResolveNowCallback = func(resolver.ResolveNowOptions) { n.resolveCount.Add(1) }
	n.InitialState(resolverState(addresses))
	resolver.Register(n)
	log := &logBuffer{}
	p, err := New(Options{
		Target: n.Scheme() + ":///provider", OutageGrace: time.Minute, RunTimeout: 30 * time.Second, Version: "test",
	}, hclog.New(&hclog.LoggerOptions{Output: log, JSONFormat: true}))
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p, n, log
}

// resolverState returns the resolver's state with the addresses.
func resolverState(addresses []string) (state resolver.State) {
	for _, address := range addresses {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	return state
}

// callsByReplica makes the calls and returns their number by the name of the replica. Every call must succeed.
func callsByReplica(t *testing.T, p *Plugin, calls int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range calls {
		m := p.Run(nil, metric)
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, m.Phase, m.Message)
		counts[m.Value]++
	}
	return counts
}

func TestBalancerSeveralReplicasAreCalledRoundRobin(t *testing.T) {
	a, b, c := startReplica(t, "a"), startReplica(t, "b"), startReplica(t, "c")
	p, _, _ := newBalancedPlugin(t, a.Address, b.Address, c.Address)
	require.Eventually(t, func() bool { return len(callsByReplica(t, p, 3)) == 3 }, 30*time.Second, time.Millisecond)
	require.Equal(t, map[string]int{"a": 10, "b": 10, "c": 10}, callsByReplica(t, p, 30))
	for _, s := range []*fakesidecar.Sidecar{a, b, c} {
		require.Equal(t, 1, s.Connections())
		require.Len(t, fakesidecar.Received[*contractv1.DescribeRequest](s, "Describe"), 1)
	}
}

func TestBalancerUnusableReplicasGetNoCalls(t *testing.T) {
	incompatible := startReplicaWithContract(t, "2.0", "incompatible")
	dead := startReplica(t, "dead")
	dead.Kill()
	good := startReplica(t, "good")
	p, _, _ := newBalancedPlugin(t, incompatible.Address, dead.Address, unresponsiveAddress(t), good.Address)
	require.Equal(t, map[string]int{"good": 30}, callsByReplica(t, p, 30))
	require.Eventually(t, func() bool {
		return len(fakesidecar.Received[*contractv1.DescribeRequest](incompatible, "Describe")) > 0
	}, 30*time.Second, time.Millisecond)
	require.Empty(t, fakesidecar.Received[*contractv1.RunRequest](incompatible, "Run"))
}

// unresponsiveAddress returns an address that accepts connections and sends nothing, like a stopped process.
func unresponsiveAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func TestCallReplicaKilledIsRetriedOnAnother(t *testing.T) {
	var victim, survivor *fakesidecar.Sidecar
	killVictim := func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		go victim.Kill()
		return nil, fakesidecar.Hang(ctx)
	}
	victim, survivor = startReplica(t, ""), startReplica(t, "survivor")
	victim.OnRun = killVictim
	p, _, log := newBalancedPlugin(t, victim.Address, survivor.Address)
	require.Eventually(t, func() bool {
		callsByReplica(t, p, 1)
		return len(fakesidecar.Received[*contractv1.RunRequest](victim, "Run")) == 1
	}, 30*time.Second, time.Millisecond)
	require.Equal(t, map[string]int{"survivor": 5}, callsByReplica(t, p, 5))
	require.Empty(t, log.String())
}

func TestCallUnavailableIsRetriedWithinDeadline(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = failWith(codes.Unavailable)
	p, _ := newTestPlugin(t, sidecar.Start(t))
	require.Contains(t, p.Run(nil, metric).Message, "PROVIDER_UNAVAILABLE")
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), 5)

	p.options.RunTimeout = 4 * time.Second
	var calls atomic.Int64
	sidecar.OnRun = func(ctx context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if calls.Add(1) > 1 {
			return nil, fakesidecar.Hang(ctx)
		}
		select { // half of the sidecar's deadline of 3.5 s
		case <-time.After(1750 * time.Millisecond):
		case <-ctx.Done():
		}
		return nil, fakesidecar.StatusError(codes.Unavailable, "stopping")
	}
	meter, began := timing.NewMeter(t), time.Now()
	require.Contains(t, p.Run(nil, metric).Message, "sent no response within 3.")
	require.Less(t, time.Since(began), meter.Limit(p.options.RunTimeout))
	require.EqualValues(t, 2, calls.Load())
}

// overload returns a Run that rejects a number of calls as an overloaded sidecar does, with the pause before the next attempt.
func overload(t *testing.T, rejections int64, pause time.Duration) func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
	var calls atomic.Int64
	return func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if calls.Add(1) > rejections {
			return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, ""), nil
		}
		require.NoError(t, grpc.SetTrailer(ctx, metadata.Pairs(
			"grpc-retry-pushback-ms", fmt.Sprint(pause.Milliseconds()), "metricprovider-reason", "PROVIDER_OVERLOADED")))
		return nil, fakesidecar.StatusError(codes.Unavailable, "request not received: 2048 requests wait. Repeat the call later.")
	}
}

func TestCallSidecarOverloadedIsRetriedAfterItsPause(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = overload(t, 4, 500*time.Millisecond)
	p, _ := newTestPlugin(t, sidecar.Start(t))
	began := time.Now()
	m := p.Run(nil, metric)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, m.Phase, m.Message)
	require.GreaterOrEqual(t, time.Since(began), 2*time.Second)
}

func TestCallSidecarStaysOverloadedWaits(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = overload(t, 1000, time.Millisecond)
	p, _ := newTestPlugin(t, sidecar.Start(t))
	m := p.Run(nil, metric)
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
	require.True(t, strings.HasPrefix(m.Message, "PROVIDER_OVERLOADED sidecar at "+p.options.Target+
		": request not received: 2048 requests wait. Repeat the call later. · waiting until "), m.Message)
	require.NotNil(t, m.ResumeAt)
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), 5)
}

func TestBalancerAddressesChangedFollowsResolver(t *testing.T) {
	before := resolveInterval
	resolveInterval = 20 * time.Millisecond
	defer func() { resolveInterval = before }()
	old, added := startReplica(t, "old"), startReplica(t, "added")
	p, n, _ := newBalancedPlugin(t, old.Address)
	require.Equal(t, map[string]int{"old": 3}, callsByReplica(t, p, 3))
	require.Eventually(t, func() bool { return n.resolveCount.Load() > 2 }, 30*time.Second, time.Millisecond, "resolution without a failed connection")

	end := startLoad(t, p)
	n.UpdateState(resolverState([]string{old.Address, added.Address}))
	require.Eventually(t, func() bool { return len(callsByReplica(t, p, 4)) == 2 }, 30*time.Second, time.Millisecond)
	n.UpdateState(resolverState([]string{added.Address}))
	require.Eventually(t, func() bool { return old.Connections() == 0 }, 30*time.Second, time.Millisecond)
	end()
	require.Equal(t, map[string]int{"added": 6}, callsByReplica(t, p, 6))
}

func TestBalancerAllReplicasIncompatibleReturnsHint(t *testing.T) {
	p, _, _ := newBalancedPlugin(t, startReplicaWithContract(t, "2.0", "a").Address, startReplicaWithContract(t, "2.0", "b").Address)
	require.Contains(t, p.Run(nil, metric).Message, "PROVIDER_INCOMPATIBLE sidecar at "+p.options.Target+": fake 0.0.1 serves contract version")
}

func TestBalancerIncompatibleAndDeadReplicaReportsIncompatible(t *testing.T) {
	dead := startReplica(t, "dead")
	dead.Kill()
	p, _, _ := newBalancedPlugin(t, startReplicaWithContract(t, "2.0", "a").Address, dead.Address)
	incompatible := func() bool { return strings.HasPrefix(p.Run(nil, metric).Message, "PROVIDER_INCOMPATIBLE ") }
	require.Eventually(t, incompatible, 30*time.Second, time.Millisecond)
	for range 10 {
		require.True(t, incompatible(), "the result does not depend on the picked connection")
	}
}

func TestContractCheckRejectedReportsReason(t *testing.T) {
	s := fakesidecar.New(t)
	s.OnDescribe = func(*contractv1.DescribeResponse) error {
		return fakesidecar.StatusError(codes.PermissionDenied, "spiffe://x is not allowed. Add it to allowedIdentities.")
	}
	p, _ := newTestPlugin(t, s.Start(t))
	m := p.Run(nil, metric)
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
	require.Contains(t, m.Message, "PROVIDER_UNAVAILABLE no connection to the sidecar at "+p.options.Target+
		": contract check failed: PermissionDenied: spiffe://x is not allowed. Add it to allowedIdentities. Check that it is running")
}

// startLoad makes measurements without pause until end is called. Every measurement must be Successful.
func startLoad(t *testing.T, p *Plugin) (end func()) {
	var load sync.WaitGroup
	until := make(chan struct{})
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-until:
					return
				default:
					if m := p.Run(nil, metric); m.Phase != v1alpha1.AnalysisPhaseSuccessful {
						t.Errorf("%s: %s", m.Phase, m.Message)
					}
				}
			}
		})
	}
	return func() {
		close(until)
		load.Wait()
	}
}
