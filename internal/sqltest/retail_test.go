package sqltest

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	retailCustomers = flag.Int("retail.customers", 8, "persons in the year that the retail example is killed in")
	retailKills     = flag.Int("retail.kills", 2, "how often it is killed on each engine")
)

// TestTheRetailJobGoesOnWhereItWasKilled: killed at any moment and started
// again, it ends with the report of an uninterrupted run in memory.
func TestTheRetailJobGoesOnWhereItWasKilled(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	job := filepath.Join(dir, "retail")
	build := exec.Command("go", "build", "-o", job, "./retail")
	build.Dir = filepath.Join("..", "..", "examples")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	start := func(args ...string) (*exec.Cmd, *strings.Builder) {
		t.Helper()
		var said strings.Builder
		c := exec.Command(job, append([]string{"-seed", "5", "-customers", strconv.Itoa(*retailCustomers), "-o", filepath.Join(dir, "report.html")}, args...)...)
		c.Stdout, c.Stderr = &said, &said
		require.NoError(t, c.Start())
		return c, &said
	}
	began := time.Now()
	plain, said := start()
	require.NoError(t, plain.Wait(), "%s", said)
	want := figures(said.String())
	require.Greater(t, len(want), 100, "the report has figures")
	startup := time.Since(began)

	for name, where := range map[string]func() []string{
		"sqlite":   func() []string { return []string{"-db", filepath.Join(t.TempDir(), "retail.db")} },
		"postgres": func() []string { return []string{"-postgres", PostgresSource(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			args := where()
			killed := 0
			for {
				c, said := start(args...)
				done := make(chan error, 1)
				go func() { done <- c.Wait() }()
				var limit <-chan time.Time
				if killed < *retailKills {
					timer := time.NewTimer(startup + time.Duration(rng.Int64N(int64(2*time.Second))))
					defer timer.Stop()
					limit = timer.C
				}
				select {
				case err := <-done:
					require.NoError(t, err, "%s", said)
					t.Logf("killed %d times", killed)
					require.Positive(t, killed, "it was killed at least once")
					require.Equal(t, want, figures(said.String()))
					return
				case <-limit:
					killed++
					require.NoError(t, c.Process.Kill())
					<-done
				}
			}
		})
	}
}

// figures are the lines of a report, but for how long the run took and where
// the pictures are.
func figures(report string) (lines []string) {
	for line := range strings.Lines(report) {
		if !strings.Contains(line, " deliveries in ") && !strings.HasPrefix(line, "The same with pictures") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}
