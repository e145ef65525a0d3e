package abi

import (
	"bytes"
	"testing"
)

func TestSplitReversesJoin(t *testing.T) {
	fields := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte{0xff}, 70_000)}
	got, ok := Split(Join(fields...), len(fields))
	if !ok {
		t.Fatal("not split")
	}
	for i := range fields {
		if !bytes.Equal(got[i], fields[i]) {
			t.Errorf("field %d differs", i)
		}
	}
}

func TestSplitMalformedInputIsRejected(t *testing.T) {
	whole := Join([]byte("abc"), []byte("de"))
	for n := range whole {
		if _, ok := Split(whole[:n], 2); ok {
			t.Errorf("%d of %d bytes were taken for the whole", n, len(whole))
		}
	}
	if _, ok := Split(append(whole, 0), 2); ok {
		t.Error("a byte too many was overlooked")
	}
	if _, ok := Split([]byte{0xff, 0xff, 0xff, 0xff, 1}, 1); ok {
		t.Error("a length beyond the request was believed")
	}
}
