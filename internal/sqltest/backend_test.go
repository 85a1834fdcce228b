package sqltest

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var backendKills = flag.Int("backend.kills", 2, "how often the backend example is killed on each engine")

// service is a run of examples/backend.
type service struct {
	process *exec.Cmd
	url     string
	ended   chan error
}

func startService(t testing.TB, binary string, args ...string) *service {
	t.Helper()
	s := &service{process: exec.Command(binary, append([]string{"-addr", "localhost:0"}, args...)...), ended: make(chan error, 1)}
	log, err := s.process.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.process.Start())
	t.Cleanup(func() { _ = s.process.Process.Kill() })
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var said struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg == "listening" {
			s.url = "http://" + said.Addr
			break
		}
		t.Log(lines.Text())
	}
	go func() {
		for lines.Scan() {
			t.Log(lines.Text())
		}
		s.ended <- s.process.Wait()
	}()
	require.NotEmpty(t, s.url, "it does not listen")
	return s
}

// TestTheBackendIsKilledMidFlight: every order that was acknowledged is there,
// one that was not is there whole or not at all, and after a retry all are there
// once, with their points and the bonus that the journey awards.
func TestTheBackendIsKilledMidFlight(t *testing.T) {
	const seed, clients = 4, 4
	t.Logf("seed %d", seed)
	binary := filepath.Join(t.TempDir(), "backend")
	build := exec.Command("go", "build", "-o", binary, "./backend")
	build.Dir = filepath.Join("..", "..", "examples")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, where := range map[string]func() []string{
		"sqlite":   func() []string { return []string{"-db", filepath.Join(t.TempDir(), "shop.db")} },
		"postgres": func() []string { return []string{"-postgres", PostgresSource(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			args := where()
			phone := func(n int) string { return fmt.Sprintf("1380013%04d", n%5) }
			send := func(url string, n int) bool {
				body := fmt.Sprintf(`{"number":"%d","phone":"%s","sku":"boots","cents":%d}`, n, phone(n), 100*(1+n%9))
				r, err := http.Post(url+"/orders", "application/json", strings.NewReader(body))
				if err != nil {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				return r.StatusCode == http.StatusOK
			}
			var mu sync.Mutex
			tried, next := []int{}, 0
			open := map[int]bool{}
			for range *backendKills {
				s := startService(t, binary, args...)
				time.AfterFunc(time.Duration(20+rng.IntN(150))*time.Millisecond, func() { _ = s.process.Process.Kill() })
				var group sync.WaitGroup
				for range clients {
					group.Go(func() {
						for {
							mu.Lock()
							next++
							n := next
							tried, open[n] = append(tried, n), true
							mu.Unlock()
							if !send(s.url, n) {
								return
							}
							mu.Lock()
							delete(open, n)
							mu.Unlock()
						}
					})
				}
				group.Wait()
				require.Error(t, <-s.ended, "it was killed")
			}

			s := startService(t, binary, args...)
			t.Logf("%d orders, %d of them open", len(tried), len(open))
			for n := range open {
				require.True(t, send(s.url, n), "order %d again", n)
			}
			points, orders := map[string]int64{}, map[string]int{}
			for _, n := range tried {
				points[phone(n)] += int64(1+n%9) + 5
				orders[phone(n)]++
			}
			for number, want := range points {
				var c struct {
					Orders int
					Points int64
				}
				require.Eventually(t, func() bool { // the bonus comes a moment after the order
					r, err := http.Get(s.url + "/customers/" + number)
					require.NoError(t, err)
					require.NoError(t, json.NewDecoder(r.Body).Decode(&c))
					require.NoError(t, r.Body.Close())
					return c.Points >= want
				}, 30*time.Second, 20*time.Millisecond)
				require.Equal(t, want, c.Points)
				require.Equal(t, orders[number], c.Orders)
			}
			require.NoError(t, s.process.Process.Signal(syscall.SIGTERM))
			require.NoError(t, <-s.ended, "asked to end, it ends in good order")
		})
	}
}
