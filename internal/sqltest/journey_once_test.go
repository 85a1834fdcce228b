package sqltest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/profile"
)

var gatheredRuns = flag.Int("journey.gathered", 12, "randomized runs of the exactly-once test on each engine")

var errDied = errors.New("the process has died")

// mortal is a store seen by one process, which dies at a chosen write, before or
// after it took place.
type mortal struct {
	*journeysql.Store
	left  int // negative is immortal
	after bool
	dead  bool
}

func (m *mortal) write(do func() error) error {
	switch {
	case m.dead:
		return errDied
	case m.left != 0:
		m.left--
		return do()
	}
	m.dead = true
	if m.after {
		_ = do()
	}
	return errDied
}

func (m *mortal) Commit(ctx context.Context, b *journey.Batch) error {
	return m.write(func() error { return m.Store.Commit(ctx, b) })
}

func (m *mortal) Claim(ctx context.Context, c journey.Claim) (due []journey.Due, err error) {
	err = m.write(func() error {
		due, err = m.Store.Claim(ctx, c)
		return err
	})
	return due, err
}

// sender is a channel in the world outside.
type sender struct {
	mu         sync.Mutex
	honorsKeys bool
	did        map[string]int
	answer     func() (does bool, a journey.Answer)
}

func (s *sender) handle(_ context.Context, d journey.Dispatch) journey.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	does, a := true, journey.Confirm("")
	if s.answer != nil {
		does, a = s.answer()
	}
	if s.honorsKeys && s.did[d.Key] > 0 {
		return journey.Confirm("again")
	}
	if does {
		s.did[d.Key]++
	}
	return a
}

func gratitude() *journey.Builder {
	m := journey.Message{Template: "thanks", Purpose: "service", Channels: []string{"sms"}}
	j := journey.Define("thanks").Key("order")
	j.Enter(journey.Event("order.paid")).To("waiting")
	j.State("waiting").On(journey.Event("order.paid")).Stay().After(time.Hour).To("sent")
	j.State("sent").Send(m).On(journey.Done("thanks")).To("pause").After(48 * time.Hour).To("pause")
	j.State("pause").After(time.Hour).To("award")
	j.State("award").Do(journey.Award("patience", journey.Const(profile.Int(10)))).After(24 * time.Hour).End("over")
	return j
}

func thanksEngine(t testing.TB, s journey.Store, now *time.Time, gather int, out *sender) *journey.Engine {
	port := journey.Port{HonorsKeys: out.honorsKeys, Handle: out.handle}
	e, err := journey.New(journey.Config{
		Store: s, Now: func() time.Time { return *now }, Gather: gather,
		Contact:  contact.Policy{Purposes: map[string]contact.Exempt{"service": {Consent: true}}},
		Channels: map[string]journey.Port{"sms": port},
		Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: port},
	})
	require.NoError(t, err)
	return e
}

// check holds outbox and world side by side.
func (s *sender) check(t testing.TB, store journey.Store, effects int, name string) {
	t.Helper()
	p, err := store.Page(context.Background(), journey.Query{Kind: journey.EffectPage, Limit: 1000})
	require.NoError(t, err)
	require.Len(t, p.Effects, effects, name)
	for _, row := range p.Effects {
		n := s.did[row.Effect.Key]
		switch row.State {
		case journey.Confirmed:
			require.Equal(t, 1, n, "%s: confirmed", name)
		case journey.Uncertain:
			require.LessOrEqual(t, n, 1, "%s: uncertain", name)
		case journey.Pending, journey.Leased:
			t.Fatalf("%s: %s is left %s", name, row.Effect.Key, row.State)
		default:
			require.Zero(t, n, "%s: %s", name, row.State)
		}
	}
}

// TestJourneysHappenExactlyOnce: two to five engines on one database, gathering
// work or not, die at any write; inputs come twice and out of order; calls fail
// before and after they were carried out.
func TestJourneysHappenExactlyOnce(t *testing.T) {
	ctx := context.Background()
	for _, eng := range engines {
		t.Run(eng.name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			open := emptyJourneys(t, eng)
			deaths := 0
			for run := range *gatheredRuns {
				name := fmt.Sprintf("seed %d, run %d", seed, run)
				r := rand.New(rand.NewPCG(seed, uint64(run)))
				store := open(t).(*journeysql.Store)
				now, faults := spring, 8
				out := &sender{honorsKeys: r.IntN(2) == 0, did: map[string]int{}}
				out.answer = func() (bool, journey.Answer) {
					if faults--; faults < 0 {
						return true, journey.Confirm("")
					}
					switch r.IntN(5) {
					case 0:
						return false, journey.Reject("no")
					case 1:
						return false, journey.Later("busy", time.Minute)
					case 2:
						return false, journey.Unclear("failed before")
					case 3:
						return true, journey.Unclear("failed after")
					}
					return true, journey.Confirm("")
				}
				gather := r.IntN(4) // 0 is the default, 1 nothing gathered
				workers := make([]*journey.Engine, 2+r.IntN(4))
				boot := func(i int) {
					m := &mortal{Store: store, left: -1}
					if deaths < 40*(run+1) && r.IntN(2) == 0 {
						m.left, m.after = 2+r.IntN(20), r.IntN(2) == 0
					}
					workers[i] = thanksEngine(t, m, &now, gather, out)
					for workers[i].Deploy(ctx, gratitude()) != nil { // it died at once
						workers[i] = thanksEngine(t, store, &now, gather, out)
					}
				}
				for i := range workers {
					boot(i)
				}
				var inputs []journey.Input
				for i := range 5 {
					id := fmt.Sprint("c", i)
					inputs = append(inputs, journey.Input{
						ID: "paid/" + id, Name: "order.paid", Customer: profile.ID(id), Time: now, Received: now,
						Props: profile.Values{"order": profile.Text("A")},
					})
				}
				inputs = append(inputs, inputs[r.IntN(5)], inputs[r.IntN(5)])
				r.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
				for step := 0; ; step++ {
					require.Less(t, step, 2000, "%s: the journeys do not end", name)
					i := r.IntN(len(workers))
					due, err := store.Next(ctx)
					require.NoError(t, err)
					idle := len(inputs) == 0 && due.IsZero()
					switch {
					case idle:
					case len(inputs) > 0:
						n := 1 + r.IntN(len(inputs))
						var receipts []journey.Receipt
						receipts, err = workers[i].IngestBatch(ctx, inputs[:n])
						for _, x := range receipts {
							err = errors.Join(err, x.Err)
						}
						if err == nil {
							inputs = inputs[n:]
						}
					default:
						if due.After(now) {
							now = due
						}
						_, err = workers[i].RunDue(ctx, now)
					}
					if err != nil {
						require.ErrorIs(t, err, errDied, name)
						deaths++
						boot(i)
					} else if idle {
						break
					}
				}
				out.check(t, store, 10, name)
			}
			t.Logf("%d deaths", deaths)
		})
	}
}

// TestEnginesSideBySide: engines that run at the same time share the work, and
// each effect is carried out once.
func TestEnginesSideBySide(t *testing.T) {
	ctx := context.Background()
	for _, eng := range engines {
		t.Run(eng.name, func(t *testing.T) {
			store := emptyJourneys(t, eng)(t).(*journeysql.Store)
			now := spring
			out := &sender{did: map[string]int{}}
			var workers []*journey.Engine
			for i := range 4 {
				e := thanksEngine(t, store, &now, 7+i, out)
				require.NoError(t, e.Deploy(ctx, gratitude()))
				workers = append(workers, e)
			}
			const customers = 60
			together := func(do func(e *journey.Engine) error) {
				var wg sync.WaitGroup
				errs := make([]error, len(workers))
				for i, e := range workers {
					wg.Go(func() { errs[i] = do(e) })
				}
				wg.Wait()
				require.NoError(t, errors.Join(errs...))
			}
			together(func(e *journey.Engine) error { // each gets every input
				var inputs []journey.Input
				for i := range customers {
					inputs = append(inputs, journey.Input{
						ID: fmt.Sprint("x", i), Name: "order.paid", Customer: profile.ID(fmt.Sprint("c", i)), Time: now, Received: now,
						Props: profile.Values{"order": profile.Text("A")},
					})
				}
				receipts, err := e.IngestBatch(ctx, inputs)
				for _, r := range receipts {
					err = errors.Join(err, r.Err)
				}
				return err
			})
			for {
				due, err := store.Next(ctx)
				require.NoError(t, err)
				if due.IsZero() {
					break
				}
				if due.After(now) {
					now = due
				}
				together(func(e *journey.Engine) error { _, err := e.RunDue(ctx, now); return err })
			}
			out.check(t, store, 2*customers, eng.name)
			require.Len(t, out.did, 2*customers)
		})
	}
}
