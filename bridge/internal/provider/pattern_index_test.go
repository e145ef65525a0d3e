package provider

import (
	"bytes"
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

func TestPatternIndexFindsExactlyTheContainedPatterns(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	letters := func(length int) []byte {
		text := make([]byte, length)
		for i := range text {
			text[i] = "ab\x00"[random.Intn(3)]
		}
		return text
	}
	for range 2000 {
		text, patterns := letters(random.Intn(60)), make([]secretPattern, random.Intn(20))
		for i := range patterns {
			patterns[i].text = letters(minRedactedLength + random.Intn(5))
		}
		contained := newPatternIndex(patterns).search(patterns, text)
		for i, pattern := range patterns {
			require.Equal(t, bytes.Contains(text, pattern.text), contained[i], "%q in %q", pattern.text, text)
		}
	}
}

func TestRedactSecretWhoseBase64IsPlusSignsKeepsSpaces(t *testing.T) {
	secret := strings.Repeat("\xfb\xef\xbe", 4)
	r, err := newRedactor(runWithSecretArg(secret, "", ""))
	require.NoError(t, err)
	require.Equal(t, "a b", r.redact("a b"))
	require.Equal(t, placeholder, r.redact(secret))
}

func TestRedactManySecretsCostsAboutAsMuchAsOne(t *testing.T) {
	text := strings.Repeat("checkout 12.5, ", 1<<20/15)
	cost := func(secrets int) time.Duration {
		run := &v1alpha1.AnalysisRun{}
		for i := range secrets {
			secret := fmt.Sprintf("%d%s%d", i, strings.Repeat("secret", 100), i)
			run.Spec.Args = append(run.Spec.Args, runWithSecretArg(secret, "", "").Spec.Args[0])
		}
		r, err := newRedactor(run)
		require.NoError(t, err)
		began := threadTime(t)
		for range 5 {
			require.Equal(t, text, r.redact(text))
		}
		return threadTime(t) - began
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	one := cost(1)
	many := cost(maxSecrets)
	t.Log(one, many)
	require.Less(t, many, 8*one)
}

// threadTime returns the CPU time of this thread, which a busy machine does not distort.
func threadTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	require.NoError(t, syscall.Getrusage(thread, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
