package conformance

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

const (
	// runDeadline is the --run-timeout of these tests, shortDeadline the deadline of the calls without a measurement.
	runDeadline, shortDeadline = 2 * time.Second, 2 * time.Second
	// deadlineTolerance is the maximum time that a call may exceed its deadline on an idle machine.
	deadlineTolerance = 250 * time.Millisecond
)

// requireCallsMeetDeadlines makes concurrent calls of every method against an unresponsive sidecar. Each must end by its
// deadline.
func requireCallsMeetDeadlines(t *testing.T) {
	t.Helper()
	p := newProvider(t)
	meter := timing.NewMeter(t)
	var calls sync.WaitGroup
	timed := func(what string, deadline time.Duration, call func()) {
		calls.Go(func() {
			began := time.Now()
			call()
			if took, limit := time.Since(began), meter.Limit(deadline+deadlineTolerance); took > limit {
				t.Errorf("%s took %s, the limit is %s", what, took, limit)
			}
		})
	}
	unfinished := func(m v1alpha1.Measurement) {
		if m.Phase != v1alpha1.AnalysisPhaseRunning || !strings.HasPrefix(m.Message, "PROVIDER_UNAVAILABLE ") {
			t.Errorf("%s %s", m.Phase, m.Message)
		}
	}
	for range 20 {
		timed("Run", runDeadline, func() { unfinished(p.Run(nil, metricWithBlock("{}"))) })
		timed("Resume", runDeadline, func() { unfinished(p.Resume(nil, metricWithBlock("{}"), runningMeasurement(time.Second))) })
		timed("Terminate", shortDeadline, func() { p.Terminate(nil, metricWithBlock("{}"), runningMeasurement(time.Second)) })
		timed("GarbageCollect", shortDeadline, func() {
			if err := p.GarbageCollect(nil, metricWithBlock("{}"), 1); err != nil {
				t.Error(err)
			}
		})
		timed("GetMetadata", shortDeadline, func() { p.GetMetadata(metricWithBlock("{}")) })
		timed("Ping and Type", time.Second, func() { newProvider(t).Type() })
	}
	calls.Wait()
}

func TestDeadlineServiceStoppedIsMet(t *testing.T) {
	s := startedServices(t)
	home := t.TempDir()
	socket, config := filepath.Join(home, "stopped.sock"), filepath.Join(home, "config.yaml")
	text, err := yaml.Marshal(map[string]any{"backends": map[string]any{"healthy": map[string]any{"url": s.healthy}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	_, err = s.start(&logBuffer{}, `"ready"`, "serve", "--config", config, "--socket", socket, "--log-format", "json")
	require.NoError(t, err)
	service := s.children[len(s.children)-1].Process
	installBridge(t, "--socket="+socket, "--run-timeout="+runDeadline.String())

	p := newProvider(t)
	healthy := `{"sli":"success-rate","service":"canary|reviews|bookinfo|cluster-1|-","window":"3m"}`
	require.NotEqual(t, "PROVIDER_UNAVAILABLE", reasonCode(p.Run(nil, metricWithBlock(healthy))), "the service is available")
	defer func() { _ = service.Signal(syscall.SIGCONT) }()
	require.NoError(t, service.Signal(syscall.SIGSTOP))
	requireCallsMeetDeadlines(t) // on the established connection
	requireCallsMeetDeadlines(t) // on new connections
	require.NoError(t, service.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return reasonCode(p.Run(nil, metricWithBlock(healthy))) != "PROVIDER_UNAVAILABLE" },
		30*time.Second, 100*time.Millisecond, "the service is available again")
}

// reasonCode returns the reason code of a measurement's message.
func reasonCode(m v1alpha1.Measurement) string {
	before, _, _ := strings.Cut(m.Message, " ")
	return before
}

func TestDeadlineUnresponsiveAddressIsMet(t *testing.T) {
	for name, address := range map[string]string{"SYN without a response": blackHole(t), "connection without data": unresponsiveAddress(t)} {
		t.Run(name, func(t *testing.T) {
			installBridge(t, "--address="+address, "--run-timeout="+runDeadline.String())
			requireCallsMeetDeadlines(t)
			requireCallsMeetDeadlines(t)
		})
	}
}

func TestDeadlineUnresponsiveNameServerIsMet(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	installBridge(t, "--address=dns://"+server.LocalAddr().String()+"/provider.shop:9500", "--insecure",
		"--run-timeout="+runDeadline.String())
	requireCallsMeetDeadlines(t)
	require.Contains(t, newProvider(t).Run(nil, metricWithBlock("{}")).Message, "no connection to the sidecar at dns://")
}

func TestDeadlineConnectionLostIsMet(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.Address = "127.0.0.1:0"
	sidecar.Start(t)
	relay := startRelay(t, sidecar.Address)
	installBridge(t, "--address="+relay.address, "--run-timeout="+runDeadline.String())
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, newProvider(t).Run(nil, metricWithBlock("{}")).Phase)
	relay.dropping.Store(true)
	requireCallsMeetDeadlines(t)
	requireCallsMeetDeadlines(t)
	relay.dropping.Store(false) // the dropped bytes are lost, so only a new connection works
	p := newProvider(t)
	require.Eventually(t, func() bool { return p.Run(nil, metricWithBlock("{}")).Phase == v1alpha1.AnalysisPhaseSuccessful },
		30*time.Second, 50*time.Millisecond)
}

// blackHole returns an address with a full backlog: a SYN gets no response.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.(*syscall.SockaddrInet4).Port}).String()
	for range 8 {
		conn, err := net.DialTimeout("tcp", address, 300*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the backlog does not fill up")
	return ""
}

// unresponsiveAddress returns an address that accepts connections and sends nothing.
func unresponsiveAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// relay is a TCP proxy. While dropping is set, it discards the bytes and keeps the connections open.
type relay struct {
	address  string
	dropping atomic.Bool
}

// startRelay starts a relay to the address.
func startRelay(t *testing.T, address string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{address: listener.Addr().String()}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			go r.pass(far, near)
			go r.pass(near, far)
		}
	}()
	return r
}

// pass copies bytes in one direction.
func (r *relay) pass(to io.WriteCloser, from io.ReadCloser) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if r.dropping.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
