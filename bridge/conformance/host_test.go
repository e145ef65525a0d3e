package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/metric"
	metricplugin "github.com/argoproj/argo-rollouts/metricproviders/plugin"
	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/stretchr/testify/require"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/argohost"
)

// pluginName is the plugin's name in the documentation; any other name works.
const pluginName = "skywalking/metrics"

// handshake is the handshake of Argo's metric plugins, which Argo does not export (metricproviders/plugin/client).
var handshake = goplugin.HandshakeConfig{
	ProtocolVersion: 1, MagicCookieKey: "ARGO_ROLLOUTS_RPC_PLUGIN", MagicCookieValue: "metricprovider",
}

// installBridge configures the bridge with these arguments in the controller, for one test.
func installBridge(t testing.TB, args ...string) {
	t.Helper()
	installBridgeAs(t, pluginName, args...)
}

// installBridgeAs is installBridge with another plugin name.
func installBridgeAs(t testing.TB, name string, args ...string) {
	t.Helper()
	controllerLog.Reset()
	t.Cleanup(func() {
		argohost.Close()
		if t.Failed() {
			t.Log("the controller's log:\n" + controllerLog.String())
		}
	})
	require.NoError(t, argohost.Install(types.PluginItem{Name: name, Location: "file://" + binary, Args: args}))
}

// newProvider returns the provider that the controller builds for every call.
func newProvider(t testing.TB) metric.Provider {
	t.Helper()
	p, err := metricplugin.NewRpcPlugin(metricWithBlock("{}"))
	require.NoError(t, err)
	return p
}

// metricWithBlock returns a metric with this JSON under provider.plugin.
func metricWithBlock(text string) v1alpha1.Metric {
	return v1alpha1.Metric{Name: "m", Provider: v1alpha1.MetricProvider{
		Plugin: map[string]json.RawMessage{pluginName: json.RawMessage(text)},
	}}
}

// resolveMetric returns the run's first metric with its arguments resolved by Argo.
func resolveMetric(t *testing.T, run *v1alpha1.AnalysisRun) v1alpha1.Metric {
	t.Helper()
	m, err := analysisutil.ResolveMetricArgs(run.Spec.Metrics[0], run.Spec.Args)
	require.NoError(t, err)
	return *m
}

// secretArg returns an argument whose value Argo has read from a Secret.
func secretArg(name, value string) v1alpha1.Argument {
	return v1alpha1.Argument{Name: name, Value: &value, ValueFrom: &v1alpha1.ValueFrom{
		SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "credentials", Key: name},
	}}
}

// plainArg returns an argument with a literal value.
func plainArg(name, value string) v1alpha1.Argument {
	return v1alpha1.Argument{Name: name, Value: &value}
}

// newPluginClient returns a go-plugin client without Argo's host code, for tests of details that the host code hides.
func newPluginClient(t *testing.T, args ...string) (*goplugin.Client, *exec.Cmd) {
	t.Helper()
	command := exec.Command(binary, args...)
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: handshake, Cmd: command,
		Plugins: map[string]goplugin.Plugin{
			"RpcMetricProviderPlugin": &rpc.RpcMetricProviderPlugin{}, "Other": &rpc.RpcMetricProviderPlugin{},
		},
	})
	t.Cleanup(client.Kill)
	return client, command
}

// dispensePlugin returns the plugin of a go-plugin client.
func dispensePlugin(t *testing.T, client *goplugin.Client) rpc.MetricProviderPlugin {
	t.Helper()
	protocol, err := client.Client()
	require.NoError(t, err)
	plugin, err := protocol.Dispense("RpcMetricProviderPlugin")
	require.NoError(t, err)
	return plugin.(rpc.MetricProviderPlugin)
}

// pluginProcess returns the plugin process that Argo's host code started.
func pluginProcess(t *testing.T) *os.Process {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[0] != "Z" &&
			fields[1] == strconv.Itoa(os.Getpid()) && strings.Contains(exe, "/plugin-bin/") {
			process, err := os.FindProcess(pid)
			require.NoError(t, err)
			return process
		}
	}
	t.Fatal("no plugin process")
	return nil
}
