package provider

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// nameServer is a DNS server that resolves every name to the current addresses of the replicas, as a headless Service does.
type nameServer struct {
	Address string
	hosts   atomic.Pointer[[]string]
	queries atomic.Int64
}

// queriesPerResolution is the number of queries of one resolution: A and AAAA.
const queriesPerResolution = 2

// startNameServer starts a DNS server on loopback.
func startNameServer(t *testing.T) *nameServer {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	n := &nameServer{Address: conn.LocalAddr().String()}
	n.resolveTo()
	go func() {
		for buffer := make([]byte, 512); ; {
			size, client, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if response, err := n.respond(buffer[:size]); err == nil {
				_, _ = conn.WriteTo(response, client)
			}
		}
	}()
	return n
}

// resolveTo sets the replicas.
func (n *nameServer) resolveTo(replicas ...*fakesidecar.Sidecar) {
	hosts := []string{}
	for _, replica := range replicas {
		host, _, _ := net.SplitHostPort(replica.Address)
		hosts = append(hosts, host)
	}
	n.hosts.Store(&hosts)
}

// respond returns the response to a query. Without replicas the name does not exist.
func (n *nameServer) respond(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	n.queries.Add(1)
	question, hosts := message.Questions[0], *n.hosts.Load()
	response := dnsmessage.Message{Header: dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true}, Questions: message.Questions}
	if len(hosts) == 0 {
		response.RCode = dnsmessage.RCodeNameError
	}
	for _, host := range hosts {
		if question.Type == dnsmessage.TypeA {
			response.Answers = append(response.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(host).To4())},
			})
		}
	}
	return response.Pack()
}

// startReplicas starts sidecars on several addresses of loopback with one port, as the pods of a Deployment have.
func startReplicas(t *testing.T, number int) []*fakesidecar.Sidecar {
	var replicas []*fakesidecar.Sidecar
	port := "0"
	for i := range number {
		s := fakesidecar.New(t)
		s.Address = net.JoinHostPort(fmt.Sprintf("127.0.0.%d", 2+i), port)
		_, port, _ = net.SplitHostPort(s.Start(t).Address)
		replicas = append(replicas, s)
	}
	return replicas
}

// newResolvingPlugin returns a plugin that resolves the name of the replicas by the name server.
func newResolvingPlugin(t *testing.T, names *nameServer, replica *fakesidecar.Sidecar) *Plugin {
	before := resolveInterval
	resolveInterval = time.Hour // only connections that end cause a resolution
	t.Cleanup(func() { resolveInterval = before })
	_, port, _ := net.SplitHostPort(replica.Address)
	p, err := New(Options{
		Target:      fmt.Sprintf("dns://%s/provider.argo-rollouts.svc.:%s", names.Address, port),
		OutageGrace: time.Minute, RunTimeout: 30 * time.Second, Version: "test",
	}, hclog.NewNullLogger())
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// newAddressLimit is the time within which a new replica must get calls after an old one has stopped. It takes some 1 s, and
// gRPC's default took 30 s.
const newAddressLimit = 20 * time.Second

func TestRollingUpdateReplicasReplacedOneByOneEveryMeasurementSucceeds(t *testing.T) {
	replicas := startReplicas(t, 4)
	names := startNameServer(t)
	names.resolveTo(replicas[0], replicas[1])
	p := newResolvingPlugin(t, names, replicas[0])
	callsByReplica(t, p, 1)
	end := startLoad(t, p)
	defer end()
	for i := range 2 {
		old, added := replicas[i], replicas[i+2]
		names.resolveTo(replicas[i+1], added)
		old.Stop()
		require.Eventually(t, func() bool { return receivedRun(added) }, newAddressLimit, time.Millisecond)
	}
}

// receivedRun returns whether a replica got a measurement.
func receivedRun(s *fakesidecar.Sidecar) bool {
	return len(fakesidecar.Received[*contractv1.RunRequest](s, "Run")) > 0
}

func TestRollingUpdateOnlyReplicaReplacedNextIsCalled(t *testing.T) {
	replicas := startReplicas(t, 2)
	names := startNameServer(t)
	names.resolveTo(replicas[0])
	p := newResolvingPlugin(t, names, replicas[0])
	callsByReplica(t, p, 1)
	names.resolveTo(replicas[1])
	replicas[0].Stop()
	require.Eventually(t, func() bool {
		p.Run(nil, metric)
		return receivedRun(replicas[1])
	}, newAddressLimit, time.Millisecond)
}

func TestNameResolutionNoReplicaForLongNewOneIsCalledSoon(t *testing.T) {
	replicas := startReplicas(t, 1)
	names := startNameServer(t)
	p := newResolvingPlugin(t, names, replicas[0])
	began := time.Now()
	m := p.Run(nil, metric)
	require.GreaterOrEqual(t, time.Since(began), time.Second, "the call is retried, with pauses of 1.5 s ± 20 %")
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
	require.Contains(t, m.Message, "PROVIDER_UNAVAILABLE no connection to the sidecar at "+p.options.Target+
		": the name has no address: no replica is ready, or the service has another name. Check that it is running.")
	// Takes some 7 s. With gRPC's own pauses it takes a minute.
	require.Eventually(t, func() bool { return names.queries.Load() >= 8*queriesPerResolution }, 40*time.Second, time.Millisecond)
	names.resolveTo(replicas[0])
	require.Eventually(t, func() bool {
		return p.Run(nil, metric).Phase == v1alpha1.AnalysisPhaseSuccessful
	}, newAddressLimit, time.Millisecond)
}

func TestNameResolutionReplicaUnreachableQueriesAtMostOnceASecond(t *testing.T) {
	replicas := startReplicas(t, 1)
	names := startNameServer(t)
	names.resolveTo(replicas[0])
	p := newResolvingPlugin(t, names, replicas[0])
	callsByReplica(t, p, 1)
	replicas[0].Kill()
	began, before := time.Now(), names.queries.Load()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		p.Run(nil, metric)
	}
	require.LessOrEqual(t, float64(names.queries.Load()-before)/queriesPerResolution, time.Since(began).Seconds()+2)
}
