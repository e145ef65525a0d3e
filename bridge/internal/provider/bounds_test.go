package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// hostileText has what a terminal or a log would interpret: escapes, line ends, and changes of the writing direction.
const hostileText = "\x1b[31mFAILED\x1b[0m\r\nlevel=error \u202etxt\u2066 \u2028\u0085\x00\x7f\U000e0001 "

func requireOneLine(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.False(t, strings.ContainsFunc(text, func(char rune) bool { return !unicode.IsGraphic(char) }), "%.300q", text)
}

func TestRunHostileSidecarTextsAreOneBoundedLine(t *testing.T) {
	sidecar := fakesidecar.New(t)
	long := strings.Repeat(hostileText, 900_000/len(hostileText))
	inJSON, err := json.Marshal(map[string]string{hostileText: hostileText})
	require.NoError(t, err)
	for _, phase := range []contractv1.Phase{contractv1.Phase_PHASE_SUCCESSFUL, contractv1.Phase_PHASE_ERROR, contractv1.Phase_PHASE_RUNNING} {
		sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
			m := &contractv1.Measurement{Phase: phase, Message: hostileText, Value: string(inJSON)}
			switch r.GetMetric().GetSuccessCondition() {
			case "message":
				m.Message = long
			case "value":
				m.Value = long
			case "JSON":
				m.Value = "[\n\t\"" + strings.Repeat("\u202e", 200_000) + "\",\r\n\t1]"
			case "metadata":
				m.Metadata = map[string]string{long[:400_000]: long[:400_000], hostileText: hostileText}
			case "entries":
				m.Metadata = map[string]string{}
				for i := range 10_000 {
					m.Metadata[fmt.Sprint(i)] = hostileText
				}
			case "error":
				return nil, fakesidecar.StatusError(codes.Internal, long[:100_000])
			case "unavailable":
				return nil, fakesidecar.StatusError(codes.Unavailable, long[:100_000])
			case "long error":
				return nil, fakesidecar.StatusError(codes.Internal, strings.Repeat("x", 4<<20))
			}
			return m, nil
		}
		sidecar.Start(t)
		p, log := newTestPlugin(t, sidecar)
		for _, kind := range []string{"", "message", "value", "JSON", "metadata", "entries", "error", "unavailable", "long error"} {
			one := metric.DeepCopy()
			one.SuccessCondition = kind
			m := p.Run(nil, *one)
			requireOneLine(t, m.Message)
			requireOneLine(t, m.Value)
			require.NotEmpty(t, m.Message, kind)
			require.LessOrEqual(t, utf8.RuneCountInString(m.Message), maxMessage, kind)
			require.LessOrEqual(t, len(m.Value), maxValueBytes, kind)
			require.LessOrEqual(t, len(m.Metadata), maxMetadataEntries, kind)
			for key, text := range m.Metadata {
				requireOneLine(t, key)
				requireOneLine(t, strings.ReplaceAll(text, "\n", ""))
				require.LessOrEqual(t, utf8.RuneCountInString(key), maxMetadataKey)
				require.LessOrEqual(t, utf8.RuneCountInString(text), maxMetadataText)
			}
			switch kind {
			case "message":
				require.Contains(t, m.Message, "… (cut: ")
			case "JSON":
				require.Contains(t, m.Message, "value omitted: it has 1200")
				require.True(t, json.Valid([]byte(m.Value)))
			case "":
				require.JSONEq(t, string(inJSON), m.Value)
			}
			terminated := p.Terminate(nil, *one, v1alpha1.Measurement{Phase: "Running", Value: long, Message: long})
			requireOneLine(t, terminated.Message)
			requireOneLine(t, terminated.Value)
		}
		require.NotContains(t, log.String(), "\x1b")
		require.Less(t, len(log.String()), 1<<20)
		sidecar.Kill()
	}
}

func TestGetMetadataHostileTextsAreBoundedAndKeepLines(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnMetadata = func(context.Context, *contractv1.GetMetadataRequest) (map[string]string, error) {
		return map[string]string{
			"query": "query {\n\ta\x1b[31m\n}", "long": strings.Repeat("é", 200_000), "a\nb\x1b": "x",
		}, nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	for range 2 { // the second one is cached
		metadata := p.GetMetadata(metric)
		require.Equal(t, "query {\n\ta [31m\n}", metadata["query"])
		require.Equal(t, "x", metadata["a b"])
		require.LessOrEqual(t, utf8.RuneCountInString(metadata["long"]), maxMetadataText)
		require.True(t, strings.HasSuffix(metadata["long"], "… (cut: 200000 characters)"))
	}
}

func TestBoundMeasurementSecretAtTheCutIsRedactedFirst(t *testing.T) {
	sidecar := fakesidecar.New(t)
	const secret = "long-s3cret-of-a-run"
	sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		m := fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, "1")
		m.Message = strings.Repeat("x", maxMessage-35) + secret + strings.Repeat("y", 1000)
		return m, nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	require.NotContains(t, p.Run(runWithSecretArg(secret, "", "{}"), metric).Message, "long")
}

func TestPrintableValueOrdinaryValueIsUnchanged(t *testing.T) {
	for _, value := range []string{"", "0.98", `{"a":"\u001b é 漢 😀","b":[1, 2]}`, "not JSON"} {
		require.Equal(t, value, printableValue(value))
	}
	require.Equal(t, `{ "a":"\u202e\udb40\udc01" }`, printableValue("{\n\"a\":\"\u202e\U000e0001\"\n}"))
}
