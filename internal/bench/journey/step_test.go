package journey

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/looplab/fsm"
	"github.com/qmuntal/stateless"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// The machine of this benchmark has fifteen states in a ring. The event "go",
// of at least three pieces, leads from each to the next; three more events are
// listened to everywhere.
const ring = 15

func stateName(i int) string { return "state-" + strconv.Itoa(i%ring) }

var others = [...]string{"cart.updated", "order.paid", "order.canceled"}

// place is a state and an event, the key of the bare map.
type place struct{ state, event string }

// bareMap is the least that a transition can be: a map from state and event, both
// texts, to the next state. It has an entry for each of the machine's 60
// transitions, and no guard, no time, no history, no effects.
func bareMap() map[place]string {
	m := map[place]string{}
	for i := range ring {
		m[place{stateName(i), "go"}] = stateName(i + 1)
		for _, event := range others {
			m[place{stateName(i), event}] = stateName(0)
		}
	}
	return m
}

func ringJourney(tb testing.TB) *journey.Definition {
	j := journey.Define("ring")
	j.Enter(journey.Event("start")).To(stateName(0))
	for i := range ring {
		s := j.State(stateName(i))
		s.On(journey.Event("go")).If(journey.Prop("n").AtLeast(3)).To(stateName(i + 1))
		for _, event := range others {
			s.On(journey.Event(event)).To(stateName(0))
		}
		s.After(time.Hour).End("over")
	}
	d, err := j.Build()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// BenchmarkStep goes once round the ring, one after the other in the same run: on
// a bare map, with Step, with qmuntal/stateless and with looplab/fsm. An operation
// is a round; ns/step is a fifteenth of it.
func BenchmarkStep(b *testing.B) {
	ctx := context.Background()
	var bare float64
	b.Run("bare-map", func(b *testing.B) {
		m := bareMap()
		s := stateName(0)
		for b.Loop() {
			for range ring {
				s = m[place{s, "go"}]
			}
		}
		bare = nanoseconds(b)
	})
	var step float64
	b.Run("journey", func(b *testing.B) {
		d := ringJourney(b)
		now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
		in, _, err := d.Step(journey.Instance{}, journey.Input{Name: "start", Customer: "c"}, now, nil)
		if err != nil {
			b.Fatal(err)
		}
		x := journey.Input{Name: "go", Props: profile.Values{"n": profile.Int(3)}}
		start := in
		b.ReportAllocs()
		for b.Loop() {
			in = start
			for range ring {
				in, _, err = d.Step(in, x, now, nil)
			}
		}
		if err != nil || in.Seq != ring+1 || in.State != start.State {
			b.Fatal(in.Seq, in.State, err)
		}
		step = nanoseconds(b)
		b.ReportMetric(step/bare, "x-of-bare-map")
	})
	b.Run("stateless", func(b *testing.B) {
		m := stateless.NewStateMachine(stateName(0))
		for i := range ring {
			c := m.Configure(stateName(i))
			c.Permit("go", stateName(i+1), func(_ context.Context, args ...any) bool { return args[0].(int) >= 3 })
			for _, event := range others {
				if i == 0 {
					c.PermitReentry(event)
				} else {
					c.Permit(event, stateName(0))
				}
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			for range ring {
				if err := m.FireCtx(ctx, "go", 3); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(nanoseconds(b)/step, "x-of-journey")
	})
	b.Run("fsm", func(b *testing.B) {
		var events fsm.Events
		for i := range ring {
			events = append(events, fsm.EventDesc{Name: "go", Src: []string{stateName(i)}, Dst: stateName(i + 1)})
			for _, event := range others {
				events = append(events, fsm.EventDesc{Name: event, Src: []string{stateName(i)}, Dst: stateName(0)})
			}
		}
		m := fsm.NewFSM(stateName(0), events, fsm.Callbacks{
			"before_go": func(_ context.Context, e *fsm.Event) {
				if e.Args[0].(int) < 3 {
					e.Cancel()
				}
			},
		})
		b.ReportAllocs()
		for b.Loop() {
			for range ring {
				if err := m.Event(ctx, "go", 3); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(nanoseconds(b)/step, "x-of-journey")
	})
}

// nanoseconds are those of one step.
func nanoseconds(b *testing.B) float64 {
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / ring
	b.ReportMetric(ns, "ns/step")
	return ns
}
