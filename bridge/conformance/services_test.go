package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// services are the real service and its OAPs: two mock OAPs of the package, and a scripted one. They start once for all
// tests.
type services struct {
	socket   string
	log      *logBuffer
	healthy  string // base URLs
	failing  string
	scripted *scriptedOAP
	token    string // the service's credential for scripted
	children []*exec.Cmd
	closers  []func()
}

var (
	startOnce sync.Once
	started   *services
	startErr  error
)

// startedServices returns the running services and resets the scripted OAP. It fails the test if they did not start.
func startedServices(t *testing.T) *services {
	t.Helper()
	startOnce.Do(func() { started, startErr = startServices() })
	require.NoError(t, startErr)
	started.scripted.setHandler(nil)
	return started
}

// installWithService installs the bridge with the real service as its sidecar.
func installWithService(t *testing.T) *services {
	t.Helper()
	s := startedServices(t)
	installBridge(t, "--socket="+s.socket)
	s.log.Reset()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the service's log:\n" + s.log.String())
		}
	})
	return s
}

func stopServices() {
	if started == nil {
		return
	}
	for _, child := range started.children {
		_ = child.Process.Signal(syscall.SIGTERM)
	}
	for _, child := range started.children {
		end := time.AfterFunc(20*time.Second, func() { _ = child.Process.Kill() })
		_ = child.Wait()
		end.Stop()
	}
	for _, closer := range started.closers {
		closer()
	}
}

func startServices() (*services, error) {
	s := &services{log: &logBuffer{}, token: "the-backends-own-t0ken", scripted: &scriptedOAP{}}
	oap := httptest.NewServer(s.scripted)
	s.closers = append(s.closers, oap.Close)
	home, err := os.MkdirTemp("", "service-")
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() { os.RemoveAll(home) })
	for scenario, url := range map[string]*string{"healthy-canary": &s.healthy, "failing-canary": &s.failing} {
		line, err := s.start(&logBuffer{}, "ready at ", "mock-oap", "--listen", "127.0.0.1:0", "--scenario", scenario)
		if err != nil {
			return s, err
		}
		_, address, _ := strings.Cut(line, "ready at ")
		*url = strings.TrimSuffix(address, "/graphql")
	}
	s.socket = filepath.Join(home, "provider.sock")
	backend := func(url string, more map[string]any) map[string]any {
		// The circuit breaker never opens, so that an OAP gets requests as soon as a test has removed a fault.
		// The timeout is short for the tests of unresponsive OAPs, and long enough for a loaded machine.
		out := map[string]any{"url": url, "timeout": "2s", "circuit": map[string]any{"failures": 1000}}
		for key, value := range more {
			out[key] = value
		}
		return out
	}
	text, err := yaml.Marshal(map[string]any{"backends": map[string]any{
		"healthy": backend(s.healthy, map[string]any{"aliases": []string{"http://oap.istio-system:12800"}}),
		"failing": backend(s.failing, nil),
		"scripted": backend(oap.URL, map[string]any{
			"bearer": map[string]any{"token": s.token}, "timeout": "10s", "clockTtl": "1ms", "settle": "60s",
			"cache": map[string]any{"responseTtl": "0s", "verdictTtl": "0s"},
		}),
		"absent": backend("http://127.0.0.1:1", nil),
	}})
	if err != nil {
		return s, err
	}
	config := filepath.Join(home, "config.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return s, err
	}
	_, err = s.start(s.log, `"ready"`, "serve", "--config", config, "--socket", s.socket, "--log-format", "json",
		"--drain", "1s")
	return s, err
}

// start runs a command of the package, waits for the line that contains ready, and returns it.
func (s *services) start(log *logBuffer, ready string, args ...string) (string, error) {
	program := os.Getenv("SKYWALKING_PROVIDER")
	if program == "" {
		program = filepath.Join(repository, ".venv", "bin", "skywalking-provider")
	}
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), "TZ=UTC")
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		return "", fmt.Errorf("start of the service: %w. Install it with make .venv/.installed", err)
	}
	s.children = append(s.children, command)
	lines := make(chan string, 1)
	go func() {
		scanner := bufio.NewScanner(reader)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			fmt.Fprintln(log, scanner.Text())
			if strings.Contains(scanner.Text(), ready) {
				select {
				case lines <- scanner.Text():
				default:
				}
			}
		}
	}()
	select {
	case line := <-lines:
		return line, nil
	case <-time.After(60 * time.Second):
		return "", errors.New(strings.Join(args, " ") + ": not ready after 60 s:\n" + log.String())
	}
}

// injectFault injects a fault into a mock OAP for the rest of the test.
func injectFault(t *testing.T, mock, text string) {
	t.Helper()
	response, err := http.Post(mock+"/mock/faults", "application/json", strings.NewReader(text))
	require.NoError(t, err)
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	require.Less(t, response.StatusCode, 300, string(body))
	t.Cleanup(func() { clearFaults(t, mock) })
}

// clearFaults removes the faults of a mock OAP.
func clearFaults(t *testing.T, mock string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodDelete, mock+"/mock/faults", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
}

// scriptedOAP is an OAP whose query responses a test sets. Clock, schema and inventory are constant.
type scriptedOAP struct {
	mu       sync.Mutex
	respond  http.HandlerFunc
	zone     string
	requests []string // bodies of the queries, without those for clock, schema and inventory
	headers  []http.Header
}

// oapSchema is the part of the schema of OAP 10 that the service requests.
const oapSchema = `{"data":{
	"query":{"fields":[{"name":"readMetricsValues"},{"name":"readNullableMetricsValue"},{"name":"execExpression"}]},
	"value":{"fields":[{"name":"id"},{"name":"value"},{"name":"isEmptyValue"}]}}}`

// setHandler sets the handler of the next queries; nil responds with an empty object. It resets the recorded requests and
// the time zone.
func (o *scriptedOAP) setHandler(respond http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.respond, o.zone, o.requests, o.headers = respond, "+0000", nil, nil
}

// setResponse sets the response of the next queries. The OAP adds the results of the presence reads.
func (o *scriptedOAP) setResponse(status int, contentType, text string) {
	o.setHandler(func(w http.ResponseWriter, r *http.Request) {
		query, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, addPresenceReads(text, string(query)))
	})
}

// addPresenceReads adds the results of the presence reads (docs/block.md) to a response. They repeat the reads of the
// author, with data in every bucket unless the read specifies otherwise.
func addPresenceReads(text, query string) string {
	var response struct {
		Data   map[string]any `json:"data"`
		Errors []any          `json:"errors,omitempty"`
	}
	if json.Unmarshal([]byte(text), &response) != nil || response.Data == nil {
		return text
	}
	for name, read := range response.Data {
		if companion := "swp_present_" + name; strings.Contains(query, companion) {
			response.Data[companion] = markBucketsPresent(read)
		}
	}
	full, _ := json.Marshal(response)
	return string(full)
}

// markBucketsPresent returns a copy of a read with isEmptyValue in each of its buckets.
func markBucketsPresent(node any) any {
	switch node := node.(type) {
	case []any:
		copied := make([]any, 0, len(node))
		for _, item := range node {
			copied = append(copied, markBucketsPresent(item))
		}
		return copied
	case map[string]any:
		copied := map[string]any{}
		for key, value := range node {
			copied[key] = markBucketsPresent(value)
		}
		if _, bucket := node["value"]; bucket && node["isEmptyValue"] == nil {
			copied["isEmptyValue"] = false
		}
		return copied
	default:
		return node
	}
}

// setZone sets the time zone of the OAP.
func (o *scriptedOAP) setZone(zone string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.zone = zone
}

// queries returns the bodies of the queries since setHandler.
func (o *scriptedOAP) queries() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.requests...)
}

func (o *scriptedOAP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	respond, zone := o.respond, o.zone
	clock := strings.Contains(string(body), "getTimeInfo")
	schema := strings.Contains(string(body), "__type(")
	metrics := strings.Contains(string(body), "listMetrics")
	names := strings.Contains(string(body), "listServices")
	if !clock && !schema && !metrics && !names {
		o.requests, o.headers = append(o.requests, string(body)), append(o.headers, r.Header)
	}
	o.mu.Unlock()
	switch {
	case clock:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"data":{"getTimeInfo":{"timezone":%q,"currentTimestamp":%d}}}`, zone, time.Now().UnixMilli())
	case schema:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, oapSchema)
	case metrics:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"metrics":[{"name":"m","catalog":"SERVICE"}]}}`)
	case names:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"services":[{"id":"cw==.1","name":"s","layers":["MESH"],"normal":true}]}}`)
	case respond != nil:
		respond(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{}}`)
	}
}
