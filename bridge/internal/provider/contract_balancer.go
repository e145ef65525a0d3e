package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// ContractMajor is the only major version of the contract that this bridge speaks.
	ContractMajor = 1
	// agreedRoundRobin is gRPC's round_robin over the connections whose other end speaks our contract. What an address
	// says is known before the first call is lost to it, and forgotten with its connection.
	contractRoundRobin = "contract_round_robin"
	// incompatible begins the error of a connection whose other end speaks another contract.
	incompatiblePrefix = "PROVIDER_INCOMPATIBLE "
	// describeTimeout bounds one Describe, and parts it from the next where there was no agreement.
	describeTimeout = 3 * time.Second
)

// resolveEvery is how often the addresses behind a name are asked for again: gRPC by itself asks when a connection
// fails, and would not see a replica that came. The resolver of dns asks every 30 s at most.
var resolveInterval = 30 * time.Second

func init() { balancer.Register(contractBalancerBuilder{}) }

type contractBalancerBuilder struct{}

func (contractBalancerBuilder) Name() string { return contractRoundRobin }

func (contractBalancerBuilder) Build(conn balancer.ClientConn, options balancer.BuildOptions) balancer.Balancer {
	ctx, stop := context.WithCancel(context.Background())
	ticks := time.Tick(resolveInterval)
	go func() {
		for {
			select {
			case <-ticks:
				conn.ResolveNow(resolver.ResolveNowOptions{})
			case <-ctx.Done():
				return
			}
		}
	}()
	version, _, _ := strings.Cut(options.CustomUserAgent, " ") // gRPC appends its own
	return closingBalancer{balancer.Get(roundrobin.Name).Build(&contractClientConn{conn, version}, options), stop}
}

// stopping is a balancer with something to stop when it is closed.
type closingBalancer struct {
	balancer.Balancer
	stop func()
}

func (s closingBalancer) Close() {
	s.stop()
	s.Balancer.Close()
}

// replicas makes round_robin agree on the contract: where gRPC asks for the health of a connection, we ask for the
// contract it speaks.
type contractClientConn struct {
	balancer.ClientConn
	version string // of the bridge
}

func (r *contractClientConn) NewSubConn(
	addresses []resolver.Address, options balancer.NewSubConnOptions,
) (balancer.SubConn, error) {
	conn, err := r.ClientConn.NewSubConn(addresses, options)
	return &contractSubConn{conn, r.version}, err
}

func (r *contractClientConn) UpdateState(state balancer.State) {
	state.Picker = unwrapPicker{state.Picker}
	r.ClientConn.UpdateState(state)
}

// unwrapping gives gRPC its own connections back.
type unwrapPicker struct{ balancer.Picker }

func (u unwrapPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	result, err := u.Picker.Pick(info)
	if r, ok := result.SubConn.(*contractSubConn); ok {
		result.SubConn = r.SubConn
	}
	return result, err
}

// replica is the connection to one address.
type contractSubConn struct {
	balancer.SubConn
	version string
}

// RegisterHealthListener is called whenever a connection is made.
func (r *contractSubConn) RegisterHealthListener(listener func(balancer.SubConnState)) {
	r.SubConn.GetOrBuildProducer(&contractCheck{r, listener})
}

// agreement is sought on one connection until it is had or the connection ends.
type contractCheck struct {
	*contractSubConn
	listener func(balancer.SubConnState)
}

func (a *contractCheck) Build(conn any) (balancer.Producer, func()) {
	ctx, stop := context.WithCancel(context.Background())
	go a.run(ctx, contractv1.NewMetricProviderClient(conn.(grpc.ClientConnInterface)))
	return a, stop
}

func (a *contractCheck) run(ctx context.Context, client contractv1.MetricProviderClient) {
	for {
		err := checkContract(ctx, client, a.version)
		if ctx.Err() != nil {
			return
		}
		// gRPC calls this in the order of its other news of the connection, and not at all when it has ended meanwhile.
		a.SubConn.RegisterHealthListener(func(state balancer.SubConnState) {
			if err != nil {
				state = balancer.SubConnState{ConnectivityState: connectivity.TransientFailure, ConnectionError: err}
			}
			a.listener(state)
		})
		if err == nil {
			return
		}
		select {
		case <-time.After(describeTimeout):
		case <-ctx.Done():
			return
		}
	}
}

// agreed asks for the version of the contract; the error is of a connection that is not to be used.
func checkContract(ctx context.Context, client contractv1.MetricProviderClient, version string) error {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	response, err := client.Describe(ctx, &contractv1.DescribeRequest{ClientVersion: version})
	switch rpcStatus := status.Convert(err); rpcStatus.Code() {
	case codes.OK:
	case codes.Unimplemented:
		return errors.New(incompatiblePrefix + rpcStatus.Message())
	default:
		return fmt.Errorf("refused: %s: %s", rpcStatus.Code(), rpcStatus.Message())
	}
	major, _, _ := strings.Cut(response.GetContractVersion(), ".")
	if number, err := strconv.Atoi(major); err != nil || number != ContractMajor {
		return fmt.Errorf("%s%s %s speaks contract %q, this bridge (%s) contract %d", incompatiblePrefix,
			response.GetProvider(), response.GetVersion(), response.GetContractVersion(), version, ContractMajor)
	}
	return nil
}
