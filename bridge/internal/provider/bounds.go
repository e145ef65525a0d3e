package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

// Bounds of texts of another process. Argo stores all of them in one AnalysisRun, and the API server accepts 1.5 MiB for it.
const (
	// maxMessage is the maximum number of characters of a message, as in the service.
	maxMessage = 1024
	// maxValueBytes is the maximum size of a value: that of a result in the service.
	maxValueBytes = 1 << 20
	// maxMetadataEntries, maxMetadataKey and maxMetadataText bound metadata in entries and characters. A text may have
	// several lines: it may be a query.
	maxMetadataEntries, maxMetadataKey, maxMetadataText = 32, 253, 64 << 10
	// maxLogText is the maximum number of characters of a text in the log; a stack has some thousand.
	maxLogText = 16 << 10
)

// boundMeasurement makes the message and the value of a measurement one printable line of bounded size. Call it after
// redaction, because a truncated secret is not found.
func boundMeasurement(m *v1alpha1.Measurement) {
	if value := printableValue(m.Value); len(value) <= maxValueBytes {
		m.Value = value
	} else {
		m.Value = fmt.Sprintf(`"omitted: the value has %d bytes; at most %d are kept"`, len(value), maxValueBytes)
		m.Message = fmt.Sprintf("value omitted: it has %d bytes, limit %d · %s", len(value), maxValueBytes, m.Message)
	}
	m.Message = boundLine(m.Message, maxMessage)
	m.Metadata = boundMetadata(m.Metadata)
}

// boundMetadata returns metadata with printable texts of bounded size and number. Keys are kept in alphabetical order.
func boundMetadata(metadata map[string]string) map[string]string {
	if metadata == nil {
		return nil
	}
	bounded := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if len(bounded) == maxMetadataEntries {
			break
		}
		bounded[boundLine(key, maxMetadataKey)] = truncate(printable(metadata[key], "\n\t"), maxMetadataText)
	}
	return bounded
}

// boundLine returns a text as one printable line. A text that is cut ends with the number of its characters.
func boundLine(text string, limit int) string {
	return truncate(strings.Join(strings.Fields(printable(text, "")), " "), limit)
}

// truncate cuts a text to a number of characters, and says so at its end.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	count := utf8.RuneCountInString(text)
	if count <= limit {
		return text
	}
	end := fmt.Sprintf("… (cut: %d characters)", count)
	keep := limit - utf8.RuneCountInString(end)
	for i := range text {
		if keep--; keep < 0 {
			return text[:i] + end
		}
	}
	return text
}

// printable replaces characters that are not printable, such as control characters and changes of the writing direction,
// by spaces, except some.
func printable(text, except string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsGraphic(char) || strings.ContainsRune(except, char) {
			return char
		}
		return ' '
	}, text)
}

// printableValue returns a value as one printable line. JSON stays equal JSON: characters of its texts become escapes.
func printableValue(value string) string {
	if !strings.ContainsFunc(value, func(char rune) bool { return !unicode.IsGraphic(char) }) {
		return value
	}
	if !json.Valid([]byte(value)) {
		return printable(value, "")
	}
	var out strings.Builder
	for _, char := range value {
		switch {
		case unicode.IsGraphic(char):
			out.WriteRune(char)
		case char < ' ': // whitespace between values: JSON has no control characters in its texts
			out.WriteByte(' ')
		case char > 0xFFFF:
			high, low := utf16.EncodeRune(char)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, char)
		}
	}
	return out.String()
}
