package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/stretchr/testify/require"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

const cookie, asHost = "ARGO_ROLLOUTS_RPC_PLUGIN", "TEST_AS_ARGO_HOST"

// TestMain runs this binary as the test, as the host that the test starts, or as the host's plugin.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(cookie) != "":
		plugin, err := provider.New(provider.Options{Target: "unix:///nowhere", RunTimeout: time.Second}, hclog.NewNullLogger())
		if err != nil {
			panic(err)
		}
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: cookie, MagicCookieValue: "metricprovider"},
			Plugins:         map[string]goplugin.Plugin{"RpcMetricProviderPlugin": &rpc.RpcMetricProviderPlugin{Impl: plugin}},
		})
	case os.Getenv(asHost) != "":
		main()
	default:
		os.Exit(m.Run())
	}
}

func TestHostReaderClosedEndsHostAndPlugin(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	home, err := os.MkdirTemp("", "host-") // a short path: it contains the plugin's socket
	require.NoError(t, err)
	defer os.RemoveAll(home)
	host := exec.Command(self, "--plugin-binary", self)
	host.Env = append(os.Environ(), asHost+"=1", "TMPDIR="+home)
	var stderr bytes.Buffer
	host.Stderr = &stderr
	stdin, err := host.StdinPipe()
	require.NoError(t, err)
	reading, writing, err := os.Pipe()
	require.NoError(t, err)
	host.Stdout = writing
	require.NoError(t, host.Start())
	defer func() { _ = host.Process.Kill() }()
	require.NoError(t, writing.Close())

	const request = `{"op":"type","metric":{"provider":{"plugin":{"skywalking/metrics":{}}}}}` + "\n"
	_, err = io.WriteString(stdin, request)
	require.NoError(t, err)
	response, err := bufio.NewReader(reading).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, response, `"type":"SkyWalking"`)
	plugins := findProcesses(t, home)
	require.Len(t, plugins, 1)
	defer func() { _ = syscall.Kill(plugins[0], syscall.SIGKILL) }()

	require.NoError(t, reading.Close())
	_, err = io.WriteString(stdin, request) // stdin stays open
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- host.Wait() }()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatal("the host does not end after its reader has closed")
	}
	require.Equal(t, 1, host.ProcessState.ExitCode(), "exits without a signal: %s", host.ProcessState)
	require.Contains(t, stderr.String(), "argo-host: write response: write /dev/stdout: broken pipe")
	require.Empty(t, findProcesses(t, home))
	left, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, left)
}

// findProcesses returns the processes whose program is below a directory.
func findProcesses(t *testing.T, folder string) (found []int) {
	t.Helper()
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, link := range programs {
		if program, _ := os.Readlink(link); strings.HasPrefix(program, folder+"/") {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			require.NoError(t, err)
			found = append(found, pid)
		}
	}
	return found
}
