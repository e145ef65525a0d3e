// Package conformance tests the bridge's binary as a metric plugin, through Argo's own host code. README.md maps the cases
// to the tests.
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
	// controllerLog contains the controller's log lines of its plugins.
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

// runTests builds the bridge and runs the tests in a temporary working directory, where Argo installs plugins.
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
	if err := os.Chmod(home, 0o755); err != nil { // for the test that starts the binary as another user
		return 1, err
	}
	if binary = os.Getenv("SKYWALKING_BRIDGE"); binary == "" {
		binary = filepath.Join(home, "skywalking-bridge")
		if err := buildBridge(binary); err != nil {
			return 1, err
		}
	}
	// A data race ends the bridge's process and fails the test. The exit delay of the race detector is not needed.
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

// buildBridge builds the binary like a release, or with the race detector if the tests have it.
func buildBridge(path string) error {
	args, cgo := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", path}, "CGO_ENABLED=0"
	if raceDetector { // without -trimpath, which would recompile every package
		args, cgo = []string{"build", "-race", "-o", path}, "CGO_ENABLED=1"
	}
	command := exec.Command("go", append(args, ".")...)
	command.Dir = filepath.Join(repository, "bridge")
	command.Env = append(os.Environ(), cgo)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build of the bridge: %w\n%s", err, out)
	}
	return nil
}

// logBuffer is a log output that is safe for concurrent reads and writes.
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
