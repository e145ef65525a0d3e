package provider

import (
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/dns"
)

// minResolveInterval is the minimum time between two resolutions of a name. gRPC requests a resolution when a connection ends
// or fails. Its default of 30 s is longer than a rolling update takes, after which no known address is in use any more.
const minResolveInterval = time.Second

func init() { dns.SetMinResolutionInterval(minResolveInterval) }

// nameBuilder builds resolvers of DNS names that resolve a name without addresses every minResolveInterval. gRPC's resolver
// waits up to two minutes after the service was unavailable for longer.
type nameBuilder struct {
	resolver.Builder
}

// Build returns a resolver of the target.
func (b nameBuilder) Build(
	target resolver.Target, conn resolver.ClientConn, options resolver.BuildOptions,
) (built resolver.Resolver, err error) {
	done := make(chan struct{})
	defer close(done)
	return b.Builder.Build(target, retryingConn{conn, func() {
		time.AfterFunc(minResolveInterval, func() {
			if <-done; built != nil {
				built.ResolveNow(resolver.ResolveNowOptions{})
			}
		})
	}}, options)
}

// retryingConn is the ClientConn of a resolver. It requests another resolution after one without usable addresses.
type retryingConn struct {
	resolver.ClientConn
	resolveLater func()
}

// UpdateState passes the addresses on. It returns no error, after which the resolver would ignore requests to resolve.
func (c retryingConn) UpdateState(state resolver.State) error {
	if c.ClientConn.UpdateState(state) != nil {
		c.resolveLater()
	}
	return nil
}
