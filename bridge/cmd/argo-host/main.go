// Command argo-host calls a metric plugin as an Argo Rollouts controller does, without a cluster. It reads one JSON request
// per line from stdin, runs the requests concurrently, and writes one JSON response per line to stdout:
//
//	{"id": 1, "op": "run", "run": {AnalysisRun}, "metric": {Metric}}
//	{"id": 1, "measurement": {Measurement}, "elapsedMs": 2.1, "done": true}
//
// The ops are:
//
//   - run
//   - resume and terminate, with "measurement"
//   - loop: run, then resume until finished; every response but the last has "done": false
//   - gc, with "limit"
//   - metadata and type
//   - builtin: run of Argo's own provider.skywalking
//
// Arguments in run.spec.args are resolved as Argo resolves them. The plugin's log goes to stderr.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	log "github.com/sirupsen/logrus"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/argohost"
)

// stringList is the value of a repeatable flag.
type stringList []string

// String returns the list for the help.
func (l *stringList) String() string { return fmt.Sprint(*l) }

// Set appends a value.
func (l *stringList) Set(value string) error { *l = append(*l, value); return nil }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "argo-host:", err)
		os.Exit(1)
	}
}

// run installs the plugin and serves requests until stdin ends.
func run() error {
	var binary, name string
	var args stringList
	flag.StringVar(&binary, "plugin-binary", "", "`path` of the plugin's binary")
	flag.StringVar(&name, "plugin-name", "skywalking/metrics", "`name` of the plugin under provider.plugin")
	flag.Var(&args, "arg", "`argument` of the plugin; repeatable")
	flag.Parse()
	path, err := filepath.Abs(binary)
	if err != nil || binary == "" {
		return errors.New("--plugin-binary missing: pass the path of the plugin's binary")
	}
	// Upstream installs plugins below the working directory.
	home, err := os.MkdirTemp("", "argo-host-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	if err := os.Chdir(home); err != nil {
		return err
	}
	log.SetOutput(os.Stderr)
	log.SetLevel(log.WarnLevel)
	if err := argohost.Install(types.PluginItem{Name: name, Location: "file://" + path, Args: args}); err != nil {
		return err
	}
	defer argohost.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // so that a closed stdout is an error, and the plugin process is ended
	return serveRequests(ctx, os.Stdin, os.Stdout)
}

// serveRequests executes requests until the input ends, and waits for those in flight. A signal or a write error ends it
// immediately.
func serveRequests(signalled context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(signalled)
	defer cancel(nil)
	var writing sync.Mutex
	writeResponse := func(response argohost.Response) {
		writing.Lock()
		defer writing.Unlock()
		if err := json.NewEncoder(out).Encode(response); err != nil {
			cancel(fmt.Errorf("write response: %w", err))
		}
	}
	done := make(chan error, 1)
	go func() {
		var calls sync.WaitGroup
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			if len(lines.Bytes()) == 0 {
				continue
			}
			var request argohost.Request
			if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
				writeResponse(argohost.Response{ID: request.ID, Error: fmt.Sprintf("request: %v", err), Done: true})
				continue
			}
			calls.Go(func() { argohost.Execute(ctx, request, writeResponse) })
		}
		calls.Wait()
		done <- lines.Err()
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
	}
	if err == nil && signalled.Err() == nil {
		err = context.Cause(ctx)
	}
	return err
}
