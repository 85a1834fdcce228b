package journey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func cart() *Builder {
	message := Message{
		Template: "cart", Purpose: "marketing", Channels: []string{"wechat", "sms"},
		Vars: Args{"item": Data("sku")},
	}
	j := Define("abandoned-cart").Key("cart_id")
	j.Enter(Event("cart.updated")).To("waiting")
	j.Goal("bought").On(Event("order.paid"))
	j.State("waiting").
		On(Event("cart.updated")).To("waiting").
		After(2 * time.Hour).To("first")
	j.State("first").Send(message).
		After(24 * time.Hour).To("second")
	j.State("second").Send(message).
		After(7 * 24 * time.Hour).End("left")
	return j
}

func guarded(t testing.TB) *Definition {
	j := Define("guarded")
	j.Enter(Event("start")).To("a")
	j.State("a").On(Event("go")).If(Prop("n").AtLeast(3)).To("b").After(time.Hour).End("out")
	j.State("b").On(Event("go")).If(Prop("n").AtLeast(3)).To("a").After(time.Hour).End("out")
	d, err := j.Build()
	require.NoError(t, err)
	return d
}

var noon = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

func TestStepWalksAndTurns(t *testing.T) {
	d, err := cart().Build()
	require.NoError(t, err)
	in, out, err := d.Step(Instance{}, Input{ID: "1", Name: "cart.updated", Customer: "li", Time: noon, Props: profile.Values{"cart_id": profile.Text("C1"), "sku": profile.Text("boots")}}, noon, nil)
	require.NoError(t, err)
	require.Empty(t, out)
	require.Equal(t, "waiting", in.State)
	require.Equal(t, noon.Add(2*time.Hour), in.Due)
	in, out, err = d.Step(in, Input{Kind: TimerInput}, in.Due, nil)
	require.NoError(t, err)
	require.Equal(t, "first", in.State)
	require.Len(t, out, 1)
	require.Equal(t, profile.Values{"item": profile.Text("boots")}, out[0].Args)
	require.Equal(t, in.ID+".00002.00", out[0].Key)
}

func TestStepWithAValueGuardDoesNotAllocate(t *testing.T) {
	d := guarded(t)
	in, _, err := d.Step(Instance{}, Input{Name: "start", Customer: "c"}, noon, nil)
	require.NoError(t, err)
	x := Input{Name: "go", Props: profile.Values{"n": profile.Int(3)}}
	require.Zero(t, testing.AllocsPerRun(100, func() { in, _, err = d.Step(in, x, noon, nil) }))
}
