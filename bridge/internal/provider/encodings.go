package provider

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encodingsJSON is the table of encodings in which a program may repeat a secret. The service has an equal copy of it, and
// the same rules in Python (skywalking_provider/support/encodings.py).
//
//go:embed redaction_encodings.json
var encodingsJSON []byte

type encodingsTable struct {
	Levels   int
	Syntaxes []syntaxDefinition
	Base64   []string
	Covered  []encodingCase
	// NotCovered lists the encodings that are documented as limits.
	NotCovered []encodingCase
}

type syntaxDefinition struct {
	Name, Start string
	Escapes     []struct {
		Decode, Pattern string
		Names           map[string]rune
	}
}

type encodingCase struct {
	Title    string
	Examples []struct{ Secret, Text string }
}

// syntax decodes the escapes of one kind, or of all kinds. They are recognized by their first byte.
type syntax struct {
	starts   string
	pattern  *regexp.Regexp
	decoders map[int]func(groups []string) (string, bool) // by the number of the escape's last group
}

// locatedText is a decoded text with the first byte and the end of the origin of each of its bytes.
type locatedText struct {
	text         []byte
	starts, ends []int32
}

var (
	encodings   = mustParseEncodings(encodingsJSON)
	syntaxes    []syntax
	allSyntaxes syntax
	base64Bytes [256]bool
)

func mustParseEncodings(data []byte) (table encodingsTable) {
	if err := json.Unmarshal(data, &table); err != nil {
		panic(fmt.Sprintf("redaction_encodings.json: %v", err)) // it is part of the binary
	}
	for _, definition := range table.Syntaxes {
		syntaxes = append(syntaxes, newSyntax(definition))
	}
	allSyntaxes = newSyntax(table.Syntaxes...)
	for _, char := range []byte(strings.Join(table.Base64, "") + "=") {
		base64Bytes[char] = true
	}
	return table
}

func newSyntax(definitions ...syntaxDefinition) syntax {
	s := syntax{decoders: map[int]func([]string) (string, bool){}}
	var patterns []string
	group := 0
	for _, definition := range definitions {
		s.starts += definition.Start
		for _, escape := range definition.Escapes {
			group += regexp.MustCompile(escape.Pattern).NumSubexp()
			s.decoders[group] = newDecoder(escape.Decode, escape.Names)
			patterns = append(patterns, escape.Pattern)
		}
	}
	s.pattern = regexp.MustCompile(`^(?:` + strings.Join(patterns, "|") + `)`)
	return s
}

// newDecoder returns a function that decodes an escape, and reports whether it is valid, by the groups up to its last one.
func newDecoder(kind string, names map[string]rune) func([]string) (string, bool) {
	number := func(base int) func([]string) (string, bool) {
		return func(groups []string) (string, bool) {
			code, err := strconv.ParseInt(groups[len(groups)-1], base, 64)
			return string(rune(code)), err == nil && code <= utf8.MaxRune
		}
	}
	octet := func(base int) func([]string) (string, bool) {
		return func(groups []string) (string, bool) {
			code, err := strconv.ParseUint(groups[len(groups)-1], base, 8)
			return string([]byte{byte(code)}), err == nil
		}
	}
	switch kind {
	case "surrogates":
		return func(groups []string) (string, bool) {
			high, _ := strconv.ParseInt(groups[len(groups)-2], 16, 32)
			low, _ := strconv.ParseInt(groups[len(groups)-1], 16, 32)
			return string(rune(0x10000 + (high-0xD800)<<10 + low - 0xDC00)), true
		}
	case "hex":
		return number(16)
	case "decimal":
		return number(10)
	case "hex byte":
		return octet(16)
	case "octal byte":
		return octet(8)
	case "name":
		return func(groups []string) (string, bool) {
			code, known := names[groups[len(groups)-1]]
			return string(code), known
		}
	}
	panic("redaction_encodings.json: unknown decode: " + kind)
}

// decodeLevels returns a text, and the text after each level of decoding. If a text has escapes of several kinds, each kind
// is also decoded alone: a text before a secret may look like the start of an escape of another kind.
func decodeLevels(text string) []locatedText {
	original := locatedText{text: []byte(text)}
	levels := []locatedText{original}
	if !strings.ContainsAny(text, allSyntaxes.starts) {
		return levels
	}
	original.starts, original.ends = make([]int32, len(text)), make([]int32, len(text))
	for i := range original.text {
		original.starts[i], original.ends[i] = int32(i), int32(i+1)
	}
	levels = append(levels, original.decodeChain(allSyntaxes)...)
	kinds := 0
	for _, one := range syntaxes {
		for _, level := range levels {
			if bytes.ContainsAny(level.text, one.starts) {
				kinds++
				break
			}
		}
	}
	if kinds > 1 {
		for _, one := range syntaxes {
			levels = append(levels, original.decodeChain(one)...)
		}
	}
	return levels
}

func (t locatedText) decodeChain(s syntax) (levels []locatedText) {
	for range encodings.Levels {
		decoded := t.decode(s)
		if len(decoded.text) == len(t.text) { // every escape is longer than its decoded text
			break
		}
		levels, t = append(levels, decoded), decoded
	}
	return levels
}

func (t locatedText) decode(s syntax) (out locatedText) {
	for i := 0; i < len(t.text); {
		decoded, end := "", i
		if strings.IndexByte(s.starts, t.text[i]) >= 0 {
			decoded, end = s.decodeAt(t.text, i)
		}
		if end == i {
			out.text, out.starts, out.ends = append(out.text, t.text[i]), append(out.starts, t.starts[i]), append(out.ends, t.ends[i])
			i++
			continue
		}
		for j := range len(decoded) {
			out.text = append(out.text, decoded[j])
			out.starts, out.ends = append(out.starts, t.starts[i]), append(out.ends, t.ends[end-1])
		}
		i = end
	}
	return out
}

// decodeAt decodes the escape at a position, and returns the position after it; the same position without an escape.
func (s syntax) decodeAt(text []byte, at int) (decoded string, end int) {
	found := s.pattern.FindSubmatchIndex(text[at:])
	if found == nil {
		return "", at
	}
	last := len(found)/2 - 1
	for found[2*last] < 0 {
		last--
	}
	groups := make([]string, 0, 2)
	for group := max(1, last-1); group <= last; group++ {
		if found[2*group] >= 0 {
			groups = append(groups, string(text[at+found[2*group]:at+found[2*group+1]]))
		}
	}
	decoded, ok := s.decoders[last](groups)
	if !ok {
		return "", at
	}
	return decoded, at + found[1]
}

// squeeze replaces each run of whitespace, control characters and "+" by one space. NUL stays: it separates texts.
func (t locatedText) squeeze() (out locatedText) {
	changed := false
	for i, char := range t.text {
		if isSpace(char) && (char != ' ' || i > 0 && isSpace(t.text[i-1])) {
			changed = true
			break
		}
	}
	if !changed {
		return t
	}
	located := t.starts != nil
	for i, char := range t.text {
		if isSpace(char) {
			if i > 0 && isSpace(t.text[i-1]) {
				if located {
					out.ends[len(out.ends)-1] = t.ends[i]
				} else {
					out.ends[len(out.ends)-1] = int32(i + 1)
				}
				continue
			}
			char = ' '
		}
		start, end := int32(i), int32(i+1)
		if located {
			start, end = t.starts[i], t.ends[i]
		}
		out.text, out.starts, out.ends = append(out.text, char), append(out.starts, start), append(out.ends, end)
	}
	return out
}

func isSpace(char byte) bool { return char > 0 && char <= ' ' || char == '+' || char == 0x7F }

// origin returns the place in the encoded text of a part of the decoded one.
func (t locatedText) origin(start, end int) span {
	if t.starts == nil {
		return span{start, end}
	}
	return span{int(t.starts[start]), int(t.ends[end-1])}
}

// encodeForms returns the base64 and hexadecimal forms of a secret. A secret of at least minRejectedLength bytes is also
// found inside the base64 of a longer text; of a shorter one too few characters are always the same.
func encodeForms(secret string) []string {
	digits := hex.EncodeToString([]byte(secret))
	forms := []string{digits, strings.ToUpper(digits)}
	for _, alphabet := range encodings.Base64 {
		if len(secret) < minRejectedLength {
			forms = append(forms, encodeBase64(secret, alphabet))
			continue
		}
		for before := range 3 {
			whole := encodeBase64(strings.Repeat("\x00", before)+secret, alphabet)
			forms = append(forms, whole[(before*8+5)/6:(before+len(secret))*8/6])
		}
	}
	return forms
}

func encodeBase64(text, alphabet string) string {
	return base64.NewEncoding(alphabet).WithPadding(base64.NoPadding).EncodeToString([]byte(text))
}
