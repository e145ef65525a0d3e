package conformance

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	metricplugin "github.com/argoproj/argo-rollouts/metricproviders/plugin"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

// cookie is the variable that a controller sets in the environment of a plugin.
const cookie = "ARGO_ROLLOUTS_RPC_PLUGIN=metricprovider"

// handshakeLine matches the first line of a plugin's output.
var handshakeLine = regexp.MustCompile(`^1\|1\|unix\|/.+\|netrpc\|`)

func TestBinaryStartedByHandPrintsItsPurpose(t *testing.T) {
	var stdout, stderr bytes.Buffer
	command := exec.Command(binary, "--socket=/nowhere")
	command.Stdout, command.Stderr = &stdout, &stderr
	require.Error(t, command.Run())
	require.Equal(t, 1, command.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "This binary is a plugin")
	require.Empty(t, stdout.String())
}

func TestFirstOutputLineIsHandshake(t *testing.T) {
	require.Regexp(t, handshakeLine, firstLine(t, nil))
}

func TestBinaryRunsAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		require.Regexp(t, handshakeLine, firstLine(t, nil))
		return
	}
	const controllerUser = 999
	require.Regexp(t, handshakeLine, firstLine(t, &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: controllerUser, Gid: controllerUser},
	}))
}

// firstLine starts the binary as a controller does and returns its first line on stdout.
func firstLine(t *testing.T, attributes *syscall.SysProcAttr) string {
	t.Helper()
	command := exec.Command(binary, "--socket=/nowhere")
	command.Dir = "/"
	command.Env = append(os.Environ(), cookie, "PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000", "PLUGIN_PROTOCOL_VERSIONS=1")
	command.SysProcAttr = attributes
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return line
}

func TestTemporaryDirectoryUnusableIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", "/nonexistent")
	client, _ := newPluginClient(t, "--socket=/nowhere")
	controllerLog.Reset()
	_, err := client.Client()
	require.Error(t, err)
	require.Contains(t, controllerLog.String(), "plugin init error")
	require.Contains(t, controllerLog.String(), "/nonexistent")
}

func TestCommandLineInvalidIsInControllerLog(t *testing.T) {
	installBridge(t, "--socket=/nowhere", "--address=localhost:1")
	_, err := metricplugin.NewRpcPlugin(metricWithBlock("{}"))
	require.Error(t, err)
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`\[ERROR\].*pass exactly one of --socket PATH`).MatchString(controllerLog.String())
	}, 30*time.Second, 10*time.Millisecond)
}

func TestDispenseOtherNameReturnsError(t *testing.T) {
	client, _ := newPluginClient(t, "--socket=/nowhere")
	require.Equal(t, "SkyWalking", dispensePlugin(t, client).Type())
	protocol, err := client.Client()
	require.NoError(t, err)
	_, err = protocol.Dispense("Other")
	require.ErrorContains(t, err, "unknown plugin type")
}

func TestInitPluginIsFastAndRepeatable(t *testing.T) {
	meter := timing.NewMeter(t)
	for range 2 { // processes
		client, _ := newPluginClient(t, "--socket=/nowhere")
		plugin := dispensePlugin(t, client)
		for range 2 {
			began := time.Now()
			require.Empty(t, plugin.InitPlugin().ErrorString)
			require.Less(t, time.Since(began), meter.Limit(100*time.Millisecond))
		}
	}
}

func TestTypeWithoutSidecarReturnsName(t *testing.T) {
	installBridge(t, "--socket=/nowhere")
	require.Equal(t, "SkyWalking", newProvider(t).Type())
}

func TestPluginUnderAnotherNameWorks(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	const alias = "acme-corp/observability_2.0"
	installBridgeAs(t, alias, "--socket="+sidecar.Socket)
	metric := metricWithBlock(`{"query":"q"}`)
	metric.Provider.Plugin[alias] = metric.Provider.Plugin[pluginName]
	delete(metric.Provider.Plugin, pluginName)
	p, err := metricplugin.NewRpcPlugin(metric)
	require.NoError(t, err)
	require.Equal(t, `{"query":"q"}`, p.Run(nil, metric).Value)
}

func TestBridgeKilledLosesAtMostTwoMeasurements(t *testing.T) {
	sidecar := fakesidecar.New(t)
	release := make(chan struct{})
	sidecar.OnRun = func(ctx context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if string(r.GetMetric().GetBlock()) == `"slow"` {
			<-release
		}
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, "1"), nil
	}
	sidecar.Start(t)
	defer close(release)
	installBridge(t, "--socket="+sidecar.Socket)
	measure := func(text string) v1alpha1.Measurement {
		p, err := metricplugin.NewRpcPlugin(metricWithBlock(text))
		if err != nil { // the controller's result for this error
			return v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseError, Message: err.Error()}
		}
		return p.Run(nil, metricWithBlock(text))
	}
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, measure("{}").Phase)

	// during a measurement
	lost := make(chan v1alpha1.Measurement)
	go func() { lost <- measure(`"slow"`) }()
	require.Eventually(t, func() bool {
		return len(fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run")) == 2
	}, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, pluginProcess(t).Kill())
	m := <-lost
	require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
	require.Contains(t, m.Message, "Run rpc call error")
	requireRecovery(t, measure)

	// between two measurements
	require.NoError(t, pluginProcess(t).Kill())
	requireRecovery(t, measure)
}

// requireRecovery requires a successful measurement after at most one failed one.
func requireRecovery(t *testing.T, measure func(string) v1alpha1.Measurement) {
	t.Helper()
	if m := measure("{}"); m.Phase != v1alpha1.AnalysisPhaseSuccessful {
		require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, measure("{}").Phase)
	}
}

func TestLogLevelsReachController(t *testing.T) {
	installBridge(t, "--socket=/nowhere")
	newProvider(t).Run(nil, metricWithBlock("{}"))
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`\[WARN\] .*sidecar unavailable: .*reason=PROVIDER_UNAVAILABLE`).MatchString(controllerLog.String())
	}, 30*time.Second, 10*time.Millisecond, "logged after Serve")
	require.Regexp(t, `\[INFO\] .*started: .*sidecar=unix:///nowhere`, controllerLog.String())
}

func TestQuitEndsBridgeCleanly(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	client, command := newPluginClient(t, "--socket="+sidecar.Socket)
	dispensePlugin(t, client).Run(nil, metricWithBlock("{}"))
	require.Equal(t, 1, sidecar.Connections())
	meter, began := timing.NewMeter(t), time.Now()
	client.Kill() // calls Control.Quit first, and kills the process if it does not exit
	require.Less(t, time.Since(began), meter.Limit(2*time.Second))
	require.Equal(t, 0, command.ProcessState.ExitCode())
	require.Eventually(t, func() bool { return sidecar.Connections() == 0 }, 30*time.Second, 5*time.Millisecond)
}
