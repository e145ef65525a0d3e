package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

func TestCommandLineInvalidReturnsErrorWithHint(t *testing.T) {
	for line, want := range map[string]string{
		"":                                       "pass exactly one of --socket PATH and --address TARGET",
		"--socket /a --address localhost:1":      "pass exactly one of --socket PATH and --address TARGET",
		"--socket run/a.sock":                    "--socket run/a.sock: must be an absolute path",
		"--socket /" + strings.Repeat("x", 107):  "path has 108 bytes, the limit is 107",
		"--address localhost":                    "Use host:port or dns:///host:port",
		"--address 10.0.0.1:9000":                "accept it with --insecure",
		"--address dns:///provider.shop:9000":    "accept it with --insecure",
		"--address dns://10.0.0.1/p.shop:9000":   "accept it with --insecure",
		"--address http://provider.shop:9000":    "Use host:port or dns:///host:port",
		"--address p.shop:9 --tls-ca /ca":        "--tls-ca, --tls-cert, --tls-key: incomplete. Pass all three",
		"--address p.shop:9 --tls-server-name p": "--tls-ca, --tls-cert, --tls-key: incomplete. Pass all three",
		"--address p.shop:9 --tls-ca /ca --tls-cert /c --tls-key /k --insecure": "--insecure: not allowed with the --tls- flags",
		"--socket /a --tls-ca /ca":        "not allowed with --socket",
		"--socket /a --outage-grace -1s":  "--outage-grace -1s: must not be negative",
		"--socket /a --outage-grace soon": `invalid value "soon" for flag -outage-grace`,
		"--socket /a --run-timeout 500ms": "--run-timeout 500ms: must be at least 1s",
		"--socket /a --sockets /b":        "flag provided but not defined: -sockets",
		"--socket /a /b":                  `unexpected argument "/b"`,
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, serve(strings.Fields(line), &stdout, &stderr), line)
		require.Contains(t, stderr.String(), want, line)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", stderr.String())
		require.Empty(t, stdout.String(), "stdout belongs to the handshake")
	}
}

func TestOptionsSocketOrAddressGivesTarget(t *testing.T) {
	for line, want := range map[string]string{
		"--socket=/run/skywalking/provider.sock":                                  "unix:///run/skywalking/provider.sock",
		"--socket=/run/a%20b/with space.sock":                                     "unix:///run/a%2520b/with%20space.sock",
		"--address=127.0.0.1:9000":                                                "127.0.0.1:9000",
		"--address=[::1]:9000":                                                    "[::1]:9000",
		"--address=localhost:9000":                                                "localhost:9000",
		"--address=dns:///localhost:9000":                                         "dns:///localhost:9000",
		"--address=dns:///provider.shop:9000; --insecure":                         "dns:///provider.shop:9000",
		"--address=dns://127.0.0.1:5353/provider.shop:9000; --insecure":           "dns://127.0.0.1:5353/provider.shop:9000",
		"--address=provider.shop:9000; --tls-ca=/ca; --tls-cert=/c; --tls-key=/k": "provider.shop:9000",
	} {
		parsed, err := parseOptions(strings.Split(line, "; "), nil)
		require.NoError(t, err, line)
		require.Equal(t, want, parsed.provider.Target, line)
		require.Equal(t, 5*time.Minute, parsed.provider.OutageGrace)
		require.Equal(t, 15*time.Second, parsed.provider.RunTimeout)
	}
}

func TestOptionsTLSFlagsGiveTLSFiles(t *testing.T) {
	parsed, err := parseOptions(strings.Fields(
		"--address p.shop:9000 --tls-ca /ca --tls-cert /c --tls-key /k --tls-server-name provider"), nil)
	require.NoError(t, err)
	require.Equal(t, &provider.TLSFiles{CA: "/ca", Cert: "/c", Key: "/k", ServerName: "provider"}, parsed.provider.TLS)
	parsed, err = parseOptions([]string{"--socket=/a"}, nil)
	require.NoError(t, err)
	require.Nil(t, parsed.provider.TLS)
}

func TestVersionPrintsAllVersions(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, serve([]string{"--version"}, &stdout, &stderr))
	require.Regexp(t, `^skywalking-bridge \S+ \(contract 1, argo-rollouts v1\.\d+\.\d+, go\S+\)\n$`, stdout.String())
	stdout.Reset()
	require.Equal(t, 0, serve([]string{"--help"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "-outage-grace")
	require.Empty(t, stdout.String())
}
