//go:build wasip1

// Command expr is a WASI reactor that evaluates conditions of Argo Rollouts for a host that is not written in Go.
//
// The host calls alloc(n), writes its request to the returned address, calls an export with (address, length) and reads
// the response at (address<<32 | length). The request's memory belongs to the host until free, the response's until the
// next call. Requests and responses are sequences of fields. A field is a length (u32, little endian) and its bytes.
package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"unsafe"

	_ "time/tzdata" // the controller's image has the time zones, but WASI has no file system here

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/expr/abi"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/expr/argo"
)

// The state of an instance. It needs no locks: an instance has one thread and one caller.
var (
	evaluator = argo.NewEvaluator()
	requests  = map[uint32][]byte{}
	response  []byte
)

// softMemoryLimit triggers garbage collections before the host's hard memory limit ends the instance.
const softMemoryLimit = 40 << 20

// gcPercent halves the heap growth between two collections. Go's minimum heap is 4 MiB by default; 2 MiB cost no measurable
// time.
const gcPercent = 50

func init() {
	debug.SetMemoryLimit(softMemoryLimit)
	debug.SetGCPercent(gcPercent)
}

// alloc reserves n bytes for a request and returns their address.
//
//go:wasmexport alloc
func alloc(n uint32) uint32 {
	b := make([]byte, n+1) // never empty, so that every request has a distinct address
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	requests[p] = b
	return p
}

// free releases the memory of a request.
//
//go:wasmexport free
func free(p uint32) { delete(requests, p) }

// evaluate evaluates the conditions. Request: success condition, failure condition, result. Response: phase, message, value.
//
//go:wasmexport evaluate
func evaluate(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 3)
	if !ok {
		return setResponse([]byte(argo.Error), []byte("malformed request from the host"), nil)
	}
	result, err := argo.Decode(fields[2])
	if err != nil {
		return setResponse([]byte(argo.Error), decodeErrorMessage(err), nil)
	}
	value, err := argo.Value(result)
	if err != nil {
		return setResponse([]byte(argo.Error), decodeErrorMessage(err), nil)
	}
	phase, err := evaluator.Evaluate(result, string(fields[0]), string(fields[1]))
	if err != nil {
		return setResponse([]byte(phase), []byte(err.Error()), value)
	}
	return setResponse([]byte(phase), nil, value)
}

// check checks a condition. Request: condition, sample result or nothing. Response: nothing, or a problem as JSON.
//
//go:wasmexport check
func check(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 2)
	if !ok {
		return setResponse([]byte(`{"message": "malformed request from the host"}`))
	}
	source := string(fields[0])
	var problem *argo.Problem
	if len(fields[1]) == 0 {
		problem = argo.CheckAny(source)
	} else if sample, err := argo.Decode(fields[1]); err != nil {
		problem = &argo.Problem{Message: string(decodeErrorMessage(err))}
	} else {
		problem = argo.CheckFor(source, sample)
	}
	if problem == nil {
		return setResponse(nil)
	}
	text, err := json.Marshal(problem)
	if err != nil {
		panic(err) // impossible for strings and numbers; the host replaces an instance that panics
	}
	return setResponse(text)
}

// marshal formats a value. Request: result. Response: error, value.
//
//go:wasmexport marshal
func marshal(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 1)
	if !ok {
		return setResponse([]byte("malformed request from the host"), nil)
	}
	result, err := argo.Decode(fields[0])
	if err != nil {
		return setResponse(decodeErrorMessage(err), nil)
	}
	value, err := argo.Value(result)
	if err != nil {
		return setResponse(decodeErrorMessage(err), nil)
	}
	return setResponse(nil, value)
}

// statistics returns four u64 values: cache hits, cache misses, heap bytes in use, garbage collections.
//
//go:wasmexport statistics
func statistics() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	hits, misses := evaluator.CacheStats()
	response = abi.EncodeUint64s(hits, misses, m.HeapAlloc, uint64(m.NumGC))
	return packAddress(response)
}

// decodeErrorMessage returns the message for a result that cannot be decoded.
func decodeErrorMessage(err error) []byte {
	return []byte("the result is not JSON that Argo could read: " + err.Error())
}

// readRequest decodes the request at an address. It returns false if address, length or fields are invalid.
func readRequest(p, n uint32, fields int) ([][]byte, bool) {
	b, ok := requests[p]
	if !ok || uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return abi.Split(b[:n], fields)
}

// setResponse encodes the response and returns its packed address.
func setResponse(fields ...[]byte) uint64 {
	response = abi.Join(fields...)
	return packAddress(response)
}

// packAddress returns address<<32 | length.
func packAddress(b []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(len(b))
}

func main() {}
