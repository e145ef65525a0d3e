// Package abi packs what crosses the border between host and guest.
package abi

import "encoding/binary"

// Split takes exactly so many fields, nothing left over. The fields share the memory of b.
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

// Join is the reverse of Split.
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

// Numbers are u64s, one after the other.
func EncodeUint64s(all ...uint64) []byte {
	out := make([]byte, 0, 8*len(all))
	for _, n := range all {
		out = binary.LittleEndian.AppendUint64(out, n)
	}
	return out
}
