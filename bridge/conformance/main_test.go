// Package conformance holds the promises of a metric plugin, tried through Argo's own host code and the built
// binary. README.md says which test holds which case.
package conformance

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	log "github.com/sirupsen/logrus"
)

var (
	// binary is the bridge under test.
	binary string
	// repository is the root of the checkout.
	repository string
	// controllerLog is what the controller would log of its plugins.
	controllerLog = &logBuffer{}
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// runTests builds the bridge and gives the tests a working directory of their own, where Argo installs plugins.
func runTests(m *testing.M) (int, error) {
	here, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	repository = filepath.Dir(filepath.Dir(here))
	home, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(home)
	if err := os.Chmod(home, 0o755); err != nil { // another user starts the binary, too
		return 1, err
	}
	if binary = os.Getenv("SKYWALKING_BRIDGE"); binary == "" {
		binary = filepath.Join(home, "skywalking-bridge")
		if err := buildBridge(binary); err != nil {
			return 1, err
		}
	}
	// A data race in the bridge ends its process, and the test with it; at its orderly end there is nothing to wait for.
	if err := os.Setenv("GORACE", "halt_on_error=1 atexit_sleep_ms=0"); err != nil {
		return 1, err
	}
	hclog.DefaultOutput = controllerLog
	log.SetOutput(io.Discard)
	if err := os.Chdir(home); err != nil {
		return 1, err
	}
	defer stopServices()
	return m.Run(), nil
}

// buildBridge makes the binary as the release does, or with the race detector if the tests have it.
func buildBridge(path string) error {
	args, cgo := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, "CGO_ENABLED=0"
	if raceDetector { // -trimpath would compile everything once more
		args, cgo = []string{"build", "-race", "-o", path}, "CGO_ENABLED=1"
	}
	command := exec.Command("go", append(args, ".")...)
	command.Dir = filepath.Join(repository, "bridge")
	command.Env = append(os.Environ(), cgo)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the bridge: %w\n%s", err, out)
	}
	return nil
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *logBuffer) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *logBuffer) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *logBuffer) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Reset()
}
