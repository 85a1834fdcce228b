package journey

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// Random journeys take random inputs: where a step is plain, it leaves the
// instance and the moves that the machinery for all steps leaves.
func TestPlainStepsAreNoOthers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	plain, others := 0, 0
	for plain < 2000 {
		d, err := hops(r).Build()
		if err != nil {
			continue // a state that nothing leads to, or two edges for one event
		}
		in, now := Instance{}, noon
		for range 60 {
			now = now.Add(time.Duration(r.IntN(3*3600)) * time.Second)
			x := Input{ID: "x", Name: []string{"a", "b", "c", "act"}[r.IntN(4)], Customer: "c", Time: now, Mode: profile.Mode(r.IntN(2))}
			switch r.IntN(5) {
			case 0:
				x.Kind = DoneInput
			case 1:
				x.Kind = TimerInput
			case 2, 3:
				x.Props = profile.Values{"n": profile.Int(r.Int64N(5)), "k": profile.Text("K")}
			}
			var moves, wantMoves []Move
			want := in
			effects, err := d.ample(&want, &x, now, nil, &wantMoves)
			require.NoError(t, err)
			got := in
			if !d.plain(&got, &x, now, &moves) {
				others++
				require.Equal(t, in, got, "seed %d: what is not plain is left alone", seed)
			} else {
				plain++
				require.Equal(t, want, got, "seed %d", seed)
				require.Equal(t, wantMoves, moves, "seed %d", seed)
				require.Empty(t, effects, "seed %d", seed)
			}
			if in = want; !in.Open() {
				in = Instance{Run: in.Run + 1}
			}
		}
	}
	t.Logf("%d plain steps, %d others", plain, others)
}

// hops is a random journey of states that mostly have nothing to do, and wait.
func hops(r *rand.Rand) *Builder {
	events, states := []string{"a", "b", "c"}, []string{"s0", "s1", "s2", "s3"}
	b, remembers := Define("j"), r.IntN(4) == 0
	if r.IntN(2) == 0 {
		b.Key("k")
	}
	b.Enter(Event("a")).To("s0")
	if r.IntN(4) == 0 {
		b.Goal("goal").On(Event("c")).If(Prop("n").AtLeast(4))
	}
	for i, name := range states {
		s := b.State(name).Patient()
		if i > 0 && r.IntN(4) == 0 {
			s.Do(Do("act", nil))
		}
		if i > 0 && r.IntN(6) == 0 {
			s.Final()
			continue
		}
		if r.IntN(4) == 0 {
			s.OnLeave(Do("act", nil))
		}
		if r.IntN(6) == 0 {
			s.AtLocal("09:00").To("s0")
		}
		for range r.IntN(3) {
			s.After(time.Duration(1+r.IntN(9)) * time.Hour).To(states[r.IntN(4)])
			s.OnDeadline(time.Duration(9+r.IntN(90)) * time.Hour).To(states[r.IntN(4)])
		}
		for range 1 + r.IntN(4) {
			t := s.On(Event(events[r.IntN(3)]))
			if remembers && r.IntN(4) == 0 {
				t.If(Data("n").AtLeast(r.Int64N(4)))
			} else {
				t.If(Prop("n").AtLeast(r.Int64N(4)))
			}
			if r.IntN(4) == 0 {
				t.Do(Do("act", nil))
			}
			if r.IntN(5) == 0 {
				t.Stay()
			} else {
				t.To(states[r.IntN(4)])
			}
		}
	}
	return b
}

func TestAFailedStepLeavesTheInstance(t *testing.T) {
	j := Define("j")
	j.Enter(Event("start")).To("a")
	j.State("a").On(Event("go")).Do(Do("x", nil)).To("b").After(time.Hour).End("out")
	j.State("b").When(In("vip")).To("a").After(time.Hour).End("out")
	d, err := j.Build()
	require.NoError(t, err)
	in, _, err := d.Step(Instance{}, Input{Name: "start", Customer: "c"}, noon, nil)
	require.NoError(t, err)
	buf := make([]Effect, 1, 4)
	next, out, err := d.Step(in, Input{Name: "go"}, noon, buf)
	require.ErrorIs(t, err, ErrFact)
	require.Equal(t, in, next)
	require.Len(t, out, 1)
}
