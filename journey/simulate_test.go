package journey_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func sequence(inputs []journey.Input) iter.Seq2[journey.Input, error] {
	return func(yield func(journey.Input, error) bool) {
		for _, x := range inputs {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func shopPolicy() contact.Policy {
	return contact.Policy{
		Zone: "Asia/Shanghai", Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
		Caps:     []contact.Cap{{Max: 1, Calendar: contact.Day}},
		Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}, "sms": {Cost: 5}},
	}
}

// carts is a month of customers with carts, some of whom buy.
func carts(n int) []journey.Input {
	r := rand.New(rand.NewPCG(1, 2))
	var out []journey.Input
	for i := range n {
		id := profile.ID(fmt.Sprintf("c%07d", i))
		at := monday.Add(time.Duration(r.IntN(7*24*60)) * time.Minute)
		props := profile.Values{"cart_id": profile.Text("A"), "sku": profile.Text("boots")}
		out = append(out, journey.Input{
			ID: "a" + string(id), Name: "cart.updated", Customer: id, Time: at, Props: props,
			Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
		})
		if r.IntN(2) == 0 {
			out = append(out, journey.Input{ID: "b" + string(id), Name: "order.paid", Customer: id, Time: at.Add(time.Duration(r.IntN(96*60)) * time.Minute), Props: props})
		}
	}
	return out
}

func simulator(t testing.TB, journeys ...journey.Source) *journey.Simulator {
	s, err := journey.NewSimulator(journey.Simulation{Journeys: journeys, Contact: shopPolicy(), Until: monday.Add(40 * 24 * time.Hour)})
	require.NoError(t, err)
	return s
}

func TestSimulation(t *testing.T) {
	ctx := context.Background()
	history := carts(500)
	got, err := simulator(t, reminders()).Run(ctx, sequence(history))
	require.NoError(t, err)
	require.Equal(t, 500, got.Customers)
	require.Equal(t, len(history), got.Inputs)
	j := got.Journeys["reminders"]
	require.Equal(t, 500, j.Started)
	require.Zero(t, j.Open)
	require.Equal(t, 500, j.Ends["bought"]+j.Ends["left"])
	require.Equal(t, len(got.Messages), j.Sent)
	require.Equal(t, int64(5*j.Sent), j.Cost)
	require.Positive(t, j.Followed)
	require.Positive(t, j.Dropped[contact.NeedMet])
	require.Positive(t, j.Deferred[contact.QuietHours])
	require.GreaterOrEqual(t, j.Actions["award patience"], j.Ends["left"], "whoever is left was awarded")

	shuffled := append([]journey.Input(nil), history...)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
	again, err := simulator(t, reminders()).Run(ctx, sequence(append(shuffled, history...)))
	require.NoError(t, err)
	again.Inputs = got.Inputs
	require.Equal(t, got, again, "order and duplicates do not matter")
}

// An input that is delivered again later, as at-least-once delivery does, counts once.
func TestSimulationsCountAnInputOnce(t *testing.T) {
	history := carts(40)
	want, err := simulator(t, reminders()).Run(context.Background(), sequence(history))
	require.NoError(t, err)
	for _, x := range slices.Clone(history) {
		for i := range 20 { // more than are looked through one by one
			x.Received = x.Time.Add(time.Duration(i) * time.Hour)
			history = append(history, x)
			y := x
			y.ID, y.Name = fmt.Sprint(x.ID, "/", i), "page.viewed"
			y.Consents = x.Consents
			history = append(history, y)
		}
	}
	got, err := simulator(t, reminders()).Run(context.Background(), sequence(history))
	require.NoError(t, err)
	require.Equal(t, want.Messages, got.Messages)
	require.Equal(t, want.Journeys, got.Journeys)
}

// What followed a message is what its own goal waits for: of its cart, and under the
// goal's condition.
func TestWhatFollowsIsWhatTheGoalWaitsFor(t *testing.T) {
	j := journey.Define("carts").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("remind")
	j.Goal("bought").On(journey.Event("order.paid")).If(journey.All(journey.Prop("amount").AtLeast(100), journey.In("vip")))
	j.State("remind").Send(journey.Message{Template: "cart", Purpose: "transactional", Channels: []string{"sms"}}).
		After(30 * 24 * time.Hour).End("left")
	s, err := journey.NewSimulator(journey.Simulation{
		Journeys: []journey.Source{j}, Until: monday.Add(60 * 24 * time.Hour), Window: 20 * 24 * time.Hour,
		Audiences: map[string]journey.Audience{"vip": since{"li": {5, 100}}},
	})
	require.NoError(t, err)
	paid := func(id, cart string, amount int64, day int) journey.Input {
		return journey.Input{
			ID: id, Name: "order.paid", Customer: "li", Time: monday.Add(time.Duration(day) * 24 * time.Hour),
			Props: profile.Values{"cart_id": profile.Text(cart), "amount": profile.Int(amount)},
		}
	}
	history := []journey.Input{
		{ID: "1", Name: "cart.updated", Customer: "li", Time: monday, Props: profile.Values{"cart_id": profile.Text("A")}},
		paid("2", "A", 500, 1), // not yet a vip
		paid("3", "B", 500, 6), // another cart
		paid("4", "A", 99, 7),  // too little
	}
	got, err := s.Run(context.Background(), sequence(history))
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	require.Zero(t, got.Messages[0].Followed)
	for _, day := range []int{21, 8} { // behind the window, and within
		got, err = s.Run(context.Background(), sequence(append(history, paid("5", "A", 100, day))))
		require.NoError(t, err)
		require.Equal(t, day == 8, got.Messages[0].Followed.Equal(monday.Add(8*24*time.Hour)))
		require.Equal(t, day == 8, got.Journeys["carts"].Followed == 1)
	}
}

// The simulation does what the engine does, message by message.
func TestSimulationEqualsTheEngine(t *testing.T) {
	ctx := context.Background()
	history := carts(60)
	got, err := simulator(t, reminders()).Run(ctx, sequence(history))
	require.NoError(t, err)
	h := newHouse(mustBuild(t, reminders()), true)
	e, err := journey.New(journey.Config{
		Contact: shopPolicy(), Now: func() time.Time { return h.now },
		Channels: map[string]journey.Port{"wechat": confirming, "sms": confirming},
		Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: confirming},
	})
	require.NoError(t, err)
	require.NoError(t, e.Deploy(ctx, reminders()))
	slices.SortStableFunc(history, func(a, b journey.Input) int { return a.Time.Compare(b.Time) })
	for {
		next, err := e.NextDue(ctx)
		require.NoError(t, err)
		if len(history) > 0 && (next.IsZero() || !history[0].Time.After(next)) {
			h.now = history[0].Time
			_, err := e.RunDue(ctx, h.now)
			require.NoError(t, err)
			_, err = e.Ingest(ctx, history[0])
			require.NoError(t, err)
			history = history[1:]
			continue
		}
		if next.IsZero() {
			break
		}
		h.now = later(h.now, next)
		_, err = e.RunDue(ctx, h.now)
		require.NoError(t, err)
	}
	sent := map[journey.SimulatedMessage]bool{}
	for r, err := range e.History(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if r.EffectKind == journey.MessageEffect && r.State == journey.Confirmed {
			sent[journey.SimulatedMessage{Customer: r.Customer, Journey: r.Journey, Template: r.Name, Channel: r.Decision.Channel, At: r.At, Cost: r.Decision.Cost}] = true
		}
	}
	require.Len(t, got.Messages, len(sent))
	for _, m := range got.Messages {
		m.Followed = time.Time{}
		require.True(t, sent[m], "%+v", m)
	}
}

var confirming = journey.Port{HonorsKeys: true, Handle: func(context.Context, journey.Dispatch) journey.Answer { return journey.Confirm("") }}

func mustBuild(t testing.TB, src journey.Source) *journey.Definition {
	d, err := src.Build()
	require.NoError(t, err)
	return d
}

func TestCompare(t *testing.T) {
	eager := reminders()
	eager.State("pause").OnDeadline(12 * time.Hour).To("second") // too soon after the first for the cap
	c, err := journey.Compare(context.Background(), simulator(t, reminders()), simulator(t, eager), sequence(carts(200)))
	require.NoError(t, err)
	require.Equal(t, len(c.A.Messages), c.Both+len(c.OnlyA))
	require.Equal(t, len(c.B.Messages), c.Both+len(c.OnlyB))
	require.NotEmpty(t, c.OnlyA)
	require.NotEmpty(t, c.OnlyB)
	require.Contains(t, c.String(), "only in B")
	same, err := journey.Compare(context.Background(), simulator(t, reminders()), simulator(t, reminders()), sequence(carts(200)))
	require.NoError(t, err)
	require.Empty(t, same.OnlyA)
	require.Empty(t, same.OnlyB)
}

func TestSimulationsThatCannotRun(t *testing.T) {
	_, err := journey.NewSimulator(journey.Simulation{Contact: contact.Policy{Zone: "nowhere"}})
	require.ErrorIs(t, err, journey.ErrConfig)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{journey.Define("x")}})
	require.ErrorIs(t, err, journey.ErrDefinition)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{everything()}})
	require.ErrorIs(t, err, journey.ErrUnbound)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{simple("j"), simple("j")}})
	require.ErrorIs(t, err, journey.ErrConfig)
}

// The simulations of these benchmarks run on one core, with their garbage collection:
// GOMAXPROCS=1 go test ./journey -run - -bench Simulated

// A few days with a cart: three states, up to two messages on two channels, an award,
// quiet hours, a cap, a goal that half of the customers reach.
func BenchmarkSimulatedJourney(b *testing.B) {
	benchmarkSimulation(b, simulator(b, reminders()), carts(simulatedCustomers), simulatedCustomers)
}

const simulatedCustomers = 20_000

// Thirty days, in histories in the order of time: of a customer to be won back, who
// gets up to two messages, and of a new member, who gets up to five.
func BenchmarkSimulatedThirtyDays(b *testing.B) {
	for _, c := range []struct {
		name    string
		journey *journey.Builder
		history []journey.Input
	}{
		{"win-back", winBack(), lapsed(simulatedCustomers)},
		{"welcome", welcome(), newMembers(simulatedCustomers)},
	} {
		s, err := journey.NewSimulator(journey.Simulation{
			Journeys: []journey.Source{c.journey}, Until: monday.Add(60 * 24 * time.Hour),
			Contact: contact.Policy{
				Zone: "Asia/Shanghai", Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
				Caps:     []contact.Cap{{Max: 1, Calendar: contact.Day}, {Max: 3, Rolling: 14 * 24 * time.Hour, Category: "news"}},
				Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}, "sms": {Cost: 5}},
			},
		})
		require.NoError(b, err)
		got, err := s.Run(context.Background(), sequence(c.history))
		require.NoError(b, err)
		b.Log(got)
		b.Run(c.name, func(b *testing.B) { benchmarkSimulation(b, s, c.history, simulatedCustomers) })
	}
}

func news(template string) journey.Message {
	return journey.Message{
		Template: template, Category: "news", Purpose: "marketing", Channels: []string{"wechat", "sms"},
		Vars: journey.Args{"store": journey.Data("store")}, Within: 5 * 24 * time.Hour,
	}
}

// winBack writes to a customer who has not bought for long, and again on a Friday if
// they look around; who does not is called if gold, and else gets a voucher. An order
// of some size ends it, or thirty days.
func winBack() *journey.Builder {
	j := journey.Define("win-back")
	j.Enter(journey.Entered("lapsed")).To("missed")
	j.Goal("ordered").On(journey.Event("order.paid")).If(journey.Prop("amount").AtLeast(50_00))
	j.State("missed").Send(news("we miss you")).
		On(journey.Event("page.viewed")).If(journey.Prop("seconds").AtLeast(30)).To("looking").
		After(14 * 24 * time.Hour).To("which")
	j.State("looking").AtLocal("18:00", time.Friday).To("offered")
	j.State("offered").Send(news("weekend")).OnDeadline(30 * 24 * time.Hour).End("lost")
	j.State("which").When(journey.Data("tier").Is("gold")).To("called").Otherwise().To("voucher")
	j.State("called").Do(journey.Task("call", nil)).OnDeadline(30 * 24 * time.Hour).End("lost")
	j.State("voucher").Do(journey.Voucher("back-10", nil)).Send(news("voucher")).OnDeadline(30 * 24 * time.Hour).End("lost")
	return j
}

// lapsed have not bought for long; some look around, a third order.
func lapsed(n int) []journey.Input {
	return arrivals(n, 7, func(r *rand.Rand, x *journey.Input, add func(string, int, profile.Values)) {
		x.Kind, x.Name = journey.EnteredInput, "lapsed"
		x.Props = profile.Values{"store": profile.Text("S" + string(x.Customer[:2])), "tier": profile.Text([]string{"gold", "silver", "none"}[r.IntN(3)])}
		for range r.IntN(3) {
			add("page.viewed", 30, profile.Values{"seconds": profile.Int(r.Int64N(90))})
		}
		if r.IntN(3) == 0 {
			add("order.paid", 40, profile.Values{"amount": profile.Int(10_00 + r.Int64N(300_00))})
		}
	})
}

// welcome accompanies a new member for thirty days: a greeting, news for those who
// look around and others for those who do not, a voucher before the end; a first
// order of some size ends it.
func welcome() *journey.Builder {
	j := journey.Define("welcome")
	j.Enter(journey.Event("member.joined")).To("greeted")
	j.Goal("ordered").On(journey.Event("order.paid")).If(journey.Prop("amount").AtLeast(50_00))
	j.Exit("left").On(journey.Event("member.left"))
	j.State("greeted").Send(news("hello")).
		On(journey.Event("page.viewed")).If(journey.Prop("seconds").AtLeast(30)).To("looking").
		After(4 * 24 * time.Hour).To("quiet")
	j.State("looking").
		On(journey.Event("page.viewed")).To("looking").
		AtLocal("18:00", time.Friday).To("weekend")
	j.State("weekend").Send(news("weekend")).After(7 * 24 * time.Hour).To("which")
	j.State("quiet").Send(news("tour")).
		On(journey.Event("page.viewed")).To("looking").
		After(10 * 24 * time.Hour).To("which")
	j.State("which").When(journey.Data("channel").Is("till")).To("invited").Otherwise().To("reminded")
	j.State("invited").Do(journey.Task("invite", journey.Args{"store": journey.Data("store")})).
		OnDeadline(26 * 24 * time.Hour).To("voucher")
	j.State("reminded").Send(news("reminder")).
		OnDeadline(26 * 24 * time.Hour).To("voucher")
	j.State("voucher").Do(journey.Voucher("welcome-10", nil)).Send(news("voucher")).
		OnDeadline(30 * 24 * time.Hour).End("quiet member")
	return j
}

// newMembers mostly look at something, and a third order, of whom some too little.
func newMembers(n int) []journey.Input {
	return arrivals(n, 5, func(r *rand.Rand, x *journey.Input, add func(string, int, profile.Values)) {
		x.Name = "member.joined"
		x.Props = profile.Values{"store": profile.Text("S" + string(x.Customer[:2])), "channel": profile.Text([]string{"till", "app"}[r.IntN(2)])}
		for range r.IntN(4) {
			add("page.viewed", 30, profile.Values{"seconds": profile.Int(r.Int64N(90))})
		}
		if r.IntN(3) == 0 {
			add("order.paid", 40, profile.Values{"amount": profile.Int(10_00 + r.Int64N(300_00))})
		}
	})
}

// arrivals are customers who come within four weeks, each with consent; a function
// says how, and adds what they do in so many days.
func arrivals(n int, seed uint64, does func(r *rand.Rand, x *journey.Input, add func(name string, within int, props profile.Values))) []journey.Input {
	r := rand.New(rand.NewPCG(seed, 6))
	var out []journey.Input
	for i := range n {
		x := journey.Input{
			ID: fmt.Sprint("arrival ", i), Customer: profile.ID(fmt.Sprintf("%016x", r.Uint64())),
			Time:     monday.Add(time.Duration(r.IntN(28*24*60)) * time.Minute),
			Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
		}
		does(r, &x, func(name string, within int, props profile.Values) {
			out = append(out, journey.Input{
				ID: fmt.Sprint(name, " ", len(out)), Name: name, Customer: x.Customer,
				Time: x.Time.Add(time.Duration(r.IntN(within*24*60)) * time.Minute), Props: props,
			})
		})
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b journey.Input) int { return a.Time.Compare(b.Time) })
	return out
}

func benchmarkSimulation(b *testing.B, s *journey.Simulator, history []journey.Input, journeys int) {
	ctx := context.Background()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := s.Run(ctx, sequence(history)); err != nil {
			b.Fatal(err)
		}
		n += journeys
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "journeys/s")
}
