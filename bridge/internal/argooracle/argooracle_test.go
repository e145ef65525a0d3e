package argooracle

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

const (
	cases  = "../../../tests/tools/check/data/argo-cases.json"
	oracle = "../../../tests/tools/check/data/argo-oracle-v1.10.2.json"
)

// TestRecordsAreArgos compares the committed records with Argo. UPDATE_ORACLE=1 writes them.
func TestRecordsAreArgos(t *testing.T) {
	written, err := os.ReadFile(cases)
	if err != nil {
		t.Fatal(err)
	}
	var all []Case
	if err := json.Unmarshal(written, &all); err != nil {
		t.Fatal(err)
	}
	var records bytes.Buffer
	records.WriteString("[\n")
	for i, one := range all {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(Observe(one)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			records.WriteString(",\n")
		}
		records.Write(bytes.TrimSpace(line.Bytes()))
	}
	records.WriteString("\n]\n")
	if os.Getenv("UPDATE_ORACLE") != "" {
		if err := os.WriteFile(oracle, records.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(oracle)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, records.Bytes()) {
		t.Errorf("%s differs from Argo; write it with UPDATE_ORACLE=1:\n%s", oracle, records.Bytes())
	}
}
