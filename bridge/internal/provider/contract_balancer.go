package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/roundrobin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// ContractMajor is the only major version of the contract that this bridge supports.
	ContractMajor = 1
	// contractRoundRobin is the name of the balancer policy: gRPC's round_robin over the connections whose server serves a
	// supported contract version. The check precedes the first call of a connection, and its result ends with the connection.
	contractRoundRobin = "contract_round_robin"

	// describeTimeout is the deadline of one contract check, and the pause before the next check after a failed one.
	describeTimeout = 3 * time.Second
)

// resolveInterval is the time between two resolutions of the target name. gRPC alone resolves again only when a connection
// fails, so new replicas would get no calls.
var resolveInterval = 30 * time.Second

func init() { balancer.Register(contractBalancerBuilder{}) }

// contractBalancerBuilder builds the balancers of the contract_round_robin policy.
type contractBalancerBuilder struct{}

// Name returns the policy's name, as in the service config.
func (contractBalancerBuilder) Name() string { return contractRoundRobin }

// Build returns a round_robin balancer with contract checks that resolves the target name every resolveInterval.
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
	version, _, _ := strings.Cut(options.CustomUserAgent, " ") // gRPC appends its own user agent
	checked := &contractClientConn{ClientConn: conn, version: version, incompatible: map[*contractCheck]*incompatibleError{}}
	return closingBalancer{balancer.Get(roundrobin.Name).Build(checked, options), stop}
}

// closingBalancer is a balancer that calls stop when it is closed.
type closingBalancer struct {
	balancer.Balancer
	stop func()
}

// Close stops the resolution loop and closes the balancer.
func (b closingBalancer) Close() {
	b.stop()
	b.Balancer.Close()
}

// incompatibleError is the error of a connection whose server serves another contract version.
type incompatibleError struct{ message string }

// Error returns the versions of both sides.
func (e *incompatibleError) Error() string { return e.message }

// contractClientConn is the ClientConn of round_robin. Its connections report the contract check as their health.
type contractClientConn struct {
	balancer.ClientConn
	version string // of the bridge

	mu           sync.Mutex
	incompatible map[*contractCheck]*incompatibleError // open connections to incompatible servers
}

// setResult stores the latest result of a check, unless the check has been stopped.
func (c *contractClientConn) setResult(ctx context.Context, check *contractCheck, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var incompatible *incompatibleError
	if ctx.Err() == nil && errors.As(err, &incompatible) {
		c.incompatible[check] = incompatible
	} else {
		delete(c.incompatible, check)
	}
}

// incompatibleServer returns the error of an open connection to an incompatible server, or nil.
func (c *contractClientConn) incompatibleServer() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.incompatible {
		return err
	}
	return nil
}

// NewSubConn creates a connection with a contract check.
func (c *contractClientConn) NewSubConn(
	addresses []resolver.Address, options balancer.NewSubConnOptions,
) (balancer.SubConn, error) {
	conn, err := c.ClientConn.NewSubConn(addresses, options)
	return &contractSubConn{conn, c}, err
}

// errNoAddress is the error of a call while the name has no address, as that of a Deployment without a ready replica. It is not
// a status, because gRPC does not retry a call whose picker returns one.
var errNoAddress = errors.New("the name has no address: no replica is ready, or the service has another name")

// UpdateState passes the state on with a picker that returns gRPC's own connections.
func (c *contractClientConn) UpdateState(state balancer.State) {
	if len(endpointsharding.ChildStatesFromPicker(state.Picker)) == 0 {
		state.Picker = base.NewErrPicker(errNoAddress)
	}
	state.Picker = unwrapPicker{state.Picker, c}
	c.ClientConn.UpdateState(state)
}

// unwrapPicker is a picker that returns gRPC's connection inside a contractSubConn.
type unwrapPicker struct {
	balancer.Picker
	conn *contractClientConn
}

// Pick picks a connection and unwraps it. If no connection is usable and one of the servers is incompatible, the call fails
// with code Unimplemented.
func (p unwrapPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	result, err := p.Picker.Pick(info)
	if err != nil && !errors.Is(err, balancer.ErrNoSubConnAvailable) {
		if incompatible := p.conn.incompatibleServer(); incompatible != nil {
			err = status.Error(codes.Unimplemented, incompatible.Error())
		}
	}
	if c, ok := result.SubConn.(*contractSubConn); ok {
		result.SubConn = c.SubConn
	}
	return result, err
}

// contractSubConn is the connection to one address.
type contractSubConn struct {
	balancer.SubConn
	conn *contractClientConn
}

// RegisterHealthListener starts the contract check. gRPC calls it for every established connection.
func (c *contractSubConn) RegisterHealthListener(listener func(balancer.SubConnState)) {
	c.SubConn.GetOrBuildProducer(&contractCheck{c, listener})
}

// contractCheck checks one connection until the check passes or the connection ends.
type contractCheck struct {
	*contractSubConn
	listener func(balancer.SubConnState)
}

// Build starts the check in the background and returns the function that stops it.
func (c *contractCheck) Build(conn any) (balancer.Producer, func()) {
	ctx, stop := context.WithCancel(context.Background())
	go c.run(ctx, contractv1.NewMetricProviderClient(conn.(grpc.ClientConnInterface)))
	return c, func() {
		stop()
		c.conn.setResult(ctx, c, nil)
	}
}

// run reports every result of the check to the listener.
func (c *contractCheck) run(ctx context.Context, client contractv1.MetricProviderClient) {
	for {
		err := checkContract(ctx, client, c.conn.version)
		c.conn.setResult(ctx, c, err)
		if ctx.Err() != nil {
			return
		}
		// gRPC calls this in order with the other state changes of the connection, and drops it if the connection has ended.
		c.SubConn.RegisterHealthListener(func(state balancer.SubConnState) {
			if err != nil {
				state = balancer.SubConnState{ConnectivityState: connectivity.TransientFailure, ConnectionError: err}
			}
			c.listener(state)
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

// checkContract calls Describe and returns an error if the connection must not be used. It is an incompatibleError if the
// server does not serve the contract or serves another version.
func checkContract(ctx context.Context, client contractv1.MetricProviderClient, version string) error {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	response, err := client.Describe(ctx, &contractv1.DescribeRequest{ClientVersion: version})
	switch rpcStatus := status.Convert(err); rpcStatus.Code() {
	case codes.OK:
	case codes.Unimplemented:
		return &incompatibleError{rpcStatus.Message()}
	default:
		return fmt.Errorf("contract check failed: %s: %s", rpcStatus.Code(), rpcStatus.Message())
	}
	major, _, _ := strings.Cut(response.GetContractVersion(), ".")
	if number, err := strconv.Atoi(major); err != nil || number != ContractMajor {
		return &incompatibleError{fmt.Sprintf("%s %s serves contract version %q, this bridge (%s) supports version %d",
			response.GetProvider(), response.GetVersion(), response.GetContractVersion(), version, ContractMajor)}
	}
	return nil
}
