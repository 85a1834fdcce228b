package journeytest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Golden compares the timelines of all customers with a file, such as
// "testdata/cart.golden". With the environment variable UPDATE_GOLDEN set, it
// writes the file instead.
func (s *Scenario) Golden(file string) *Scenario {
	s.t.Helper()
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s.stage.people)) {
		fmt.Fprintf(&b, "%s\n", id)
		for line := range strings.Lines(s.Timeline(s.stage.people[id])) {
			b.WriteString("  " + line)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		s.must(os.MkdirAll(filepath.Dir(file), 0o755))
		s.must(os.WriteFile(file, []byte(b.String()), 0o644))
		return s
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("there is no %s yet: UPDATE_GOLDEN=1 writes it", file)
		return s
	}
	s.must(err)
	if got := b.String(); got != string(want) {
		s.t.Errorf("the timelines differ from %s (UPDATE_GOLDEN=1 writes it):\n%s", file, difference(string(want), got))
	}
	return s
}

// difference shows the first line at which two texts part, with those around it.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return lines[i]
		}
		return "(the end)"
	}
	return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, line(w), line(g))
}
