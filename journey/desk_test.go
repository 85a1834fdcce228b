package journey_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// desk is an engine in virtual time that confirms everything unless told otherwise.
type desk struct {
	*journey.Engine
	t      testing.TB
	store  *journey.Memory
	now    time.Time
	mu     sync.Mutex
	sent   []string // channel template customer, in order
	answer func(journey.Dispatch) journey.Answer
	traits profile.Values
	vip    map[profile.ID]bool
	fail   error // of the audience
}

func (d *desk) ContainsAt(_ context.Context, id profile.ID, _ time.Time) (bool, error) {
	return d.vip[id], d.fail
}

func newDesk(t testing.TB, change func(*journey.Config), journeys ...journey.Source) *desk {
	d := &desk{t: t, store: journey.NewMemory(), now: monday, vip: map[profile.ID]bool{}}
	port := journey.Port{HonorsKeys: true, Handle: func(_ context.Context, x journey.Dispatch) journey.Answer {
		if d.answer != nil {
			if a := d.answer(x); a != journey.Confirm("") {
				return a
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.sent = append(d.sent, strings.TrimSpace(x.Channel+" "+x.Effect.Name+" "+string(x.Effect.Customer)))
		return journey.Confirm("")
	}}
	cfg := journey.Config{
		Store: d.store, Now: func() time.Time { return d.now },
		Contact:   contact.Policy{Purposes: map[string]contact.Exempt{"service": {Consent: true}}},
		Channels:  map[string]journey.Port{"sms": port, "mail": port},
		Actions:   map[journey.Binding]journey.Port{{Kind: journey.CustomEffect}: port, {Kind: journey.AwardEffect}: port},
		Audiences: map[string]journey.Audience{"vip": d},
		Traits: func(context.Context, profile.ID, []string) (profile.Values, error) {
			return d.traits, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	e, err := journey.New(cfg)
	require.NoError(t, err)
	d.Engine = e
	for _, j := range journeys {
		require.NoError(t, e.Deploy(context.Background(), j))
	}
	return d
}

// does ingests an event now, and does what is due.
func (d *desk) does(id, name, customer string, props ...string) journey.Receipt {
	d.t.Helper()
	v := profile.Values{}
	for i := 0; i+1 < len(props); i += 2 {
		v[props[i]] = profile.Text(props[i+1])
	}
	r, err := d.Ingest(context.Background(), journey.Input{ID: id, Name: name, Customer: profile.ID(customer), Time: d.now, Props: v})
	require.NoError(d.t, err)
	d.run()
	return r
}

func (d *desk) run() journey.Progress {
	d.t.Helper()
	p, err := d.RunDue(context.Background(), d.now)
	require.NoError(d.t, err)
	return p
}

// after lets time pass, every due time by itself.
func (d *desk) after(by time.Duration) {
	d.t.Helper()
	end := d.now.Add(by)
	for {
		next, err := d.NextDue(context.Background())
		require.NoError(d.t, err)
		if next.IsZero() || next.After(end) {
			d.now = end
			return
		}
		d.now = later(d.now, next)
		d.run()
	}
}

func (d *desk) instance(id string) journey.Instance {
	d.t.Helper()
	x, err := d.Explain(context.Background(), id)
	require.NoError(d.t, err)
	return x.Row.Instance
}

// states lists where a customer's instances are: "state" or "=outcome".
func (d *desk) states(customer string) []string {
	d.t.Helper()
	out := []string{}
	for row, err := range d.Instances(context.Background(), journey.Filter{Customer: profile.ID(customer)}) {
		require.NoError(d.t, err)
		if row.Instance.Status == journey.Ended {
			out = append(out, "="+row.Instance.Outcome)
		} else {
			out = append(out, row.Instance.State)
		}
	}
	return out
}

func service(template string, channels ...string) journey.Message {
	if len(channels) == 0 {
		channels = []string{"sms"}
	}
	return journey.Message{Template: template, Purpose: "service", Channels: channels}
}

// simple waits an hour and sends a message.
func simple(name string) *journey.Builder {
	j := journey.Define(name)
	j.Enter(journey.Event("go")).To("wait")
	j.Goal("done").On(journey.Event("paid"))
	j.State("wait").After(time.Hour).To("send")
	j.State("send").Send(service("hello")).After(time.Hour).End("over")
	return j
}

// soFar is what was sent, read while Run is at work.
func (d *desk) soFar() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sent)
}
