// Application of the talk's pods: it responds with its version, and fails or is slow as its image says.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"time"
)

// delays are the shortest response time of each behaviour and the width of its range.
var delays = map[string][2]time.Duration{
	"good": {10 * time.Millisecond, 20 * time.Millisecond},
	"bad":  {10 * time.Millisecond, 20 * time.Millisecond},
	"slow": {800 * time.Millisecond, 400 * time.Millisecond},
}

const failedShare = 0.2

func newHandler(version, behaviour string) (http.Handler, error) {
	delay, known := delays[behaviour]
	if !known {
		return nil, fmt.Errorf("behaviour %q unknown. Use good, bad or slow", behaviour)
	}
	return http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		time.Sleep(delay[0] + rand.N(delay[1]))
		response.Header().Set("x-version", version)
		if behaviour == "bad" && rand.Float64() < failedShare {
			// Istio's default retries do not repeat a 500.
			response.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintln(response, version)
	}), nil
}

func main() {
	version := flag.String("version", "v1", "version that each response has in its header x-version")
	behaviour := flag.String("behaviour", "good", "good, bad (one request in five fails) or slow (0.8 to 1.2 s)")
	listen := flag.String("listen", "127.0.0.1:9080", "address; the sidecar listens on the pod's address")
	flag.Parse()
	handler, err := newHandler(*version, *behaviour)
	if err != nil {
		fmt.Fprintln(os.Stderr, "reviews:", err)
		os.Exit(2)
	}
	log.Fatal(http.ListenAndServe(*listen, handler))
}
