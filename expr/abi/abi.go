// Package abi encodes the requests and responses between the host and the WASM module.
package abi

import "encoding/binary"

// Split decodes a message of exactly this number of fields. The fields share the memory of b.
func Split(b []byte, fields int) ([][]byte, bool) {
	out := make([][]byte, 0, fields)
	for range fields {
		if len(b) < 4 {
			return nil, false
		}
		n := uint64(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > uint64(len(b)) {
			return nil, false
		}
		out = append(out, b[:n])
		b = b[n:]
	}
	return out, len(b) == 0
}

// Join encodes fields as a message. It is the inverse of Split.
func Join(fields ...[]byte) []byte {
	size := 0
	for _, f := range fields {
		size += 4 + len(f)
	}
	out := make([]byte, 0, size)
	for _, f := range fields {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

// EncodeUint64s encodes numbers as consecutive little-endian u64 values.
func EncodeUint64s(all ...uint64) []byte {
	out := make([]byte, 0, 8*len(all))
	for _, n := range all {
		out = binary.LittleEndian.AppendUint64(out, n)
	}
	return out
}
