//go:build wasip1

// Command expr is a WASI reactor: conditions and values of Argo Rollouts for a host that is not written in Go.
//
// The host calls alloc(n), writes its request there, calls an export with (address, length) and reads the answer at
// (address<<32 | length). The request's memory is the host's until free; the answer's until the next call. A request is
// a row of fields, each a length (u32, little endian) and so many bytes; so is an answer.
package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"unsafe"

	_ "time/tzdata" // no file system here; the controller's image has the zones

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/expr/abi"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/expr/argo"
)

// A guest has one thread and one caller; these are its whole state.
var (
	evaluator = argo.NewEvaluator()
	requests  = map[uint32][]byte{}
	response  []byte
)

// softMemoryLimit makes the collector work before the host's hard limit ends the guest.
const softMemoryLimit = 40 << 20

// gcPercent halves what a guest holds between two collections: a heap of 4 MiB is Go's least, and one of 2 costs no time that
// could be measured.
const gcPercent = 50

func init() {
	debug.SetMemoryLimit(softMemoryLimit)
	debug.SetGCPercent(gcPercent)
}

//go:wasmexport alloc
func alloc(n uint32) uint32 {
	b := make([]byte, n+1) // never empty: an address of its own
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	requests[p] = b
	return p
}

//go:wasmexport free
func free(p uint32) { delete(requests, p) }

// evaluate: success, failure, result -> phase, message, value.
//
//go:wasmexport evaluate
func evaluate(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 3)
	if !ok {
		return setResponse([]byte(argo.Error), []byte("the host's request is broken"), nil)
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

// check: condition, sample result or nothing -> nothing or a mistake in JSON.
//
//go:wasmexport check
func check(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 2)
	if !ok {
		return setResponse([]byte(`{"message": "the host's request is broken"}`))
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
		panic(err) // strings and numbers: it cannot; and the host replaces a guest that panics
	}
	return setResponse(text)
}

// marshal: result -> error, value.
//
//go:wasmexport marshal
func marshal(p, n uint32) uint64 {
	fields, ok := readRequest(p, n, 1)
	if !ok {
		return setResponse([]byte("the host's request is broken"), nil)
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

// statistics: hits and misses of the cache, bytes of the heap in use, collections.
//
//go:wasmexport statistics
func statistics() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	hits, misses := evaluator.CacheStats()
	response = abi.EncodeUint64s(hits, misses, m.HeapAlloc, uint64(m.NumGC))
	return packAddress(response)
}

func decodeErrorMessage(err error) []byte {
	return []byte("the result is not JSON that Argo could read: " + err.Error())
}

func readRequest(p, n uint32, fields int) ([][]byte, bool) {
	b, ok := requests[p]
	if !ok || uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return abi.Split(b[:n], fields)
}

func setResponse(fields ...[]byte) uint64 {
	response = abi.Join(fields...)
	return packAddress(response)
}

func packAddress(b []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(len(b))
}

func main() {}
