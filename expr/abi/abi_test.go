package abi

import (
	"bytes"
	"testing"
)

func TestSplitReversesJoin(t *testing.T) {
	fields := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte{0xff}, 70_000)}
	got, ok := Split(Join(fields...), len(fields))
	if !ok {
		t.Fatal("Split failed")
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
			t.Errorf("%d of %d bytes were accepted", n, len(whole))
		}
	}
	if _, ok := Split(append(whole, 0), 2); ok {
		t.Error("a trailing byte was accepted")
	}
	if _, ok := Split([]byte{0xff, 0xff, 0xff, 0xff, 1}, 1); ok {
		t.Error("a length beyond the message was accepted")
	}
}
