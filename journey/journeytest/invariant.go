package journeytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey"
)

// Invariant is what must hold on every path.
type Invariant struct {
	Name string
	// Each looks at every line of history as it is written, with all lines before
	// it; nil does not. An error is a violation.
	Each func(r journey.Record, before []journey.Record, w *journey.Walk) error
	// End looks at the end of every path, when the horizon is reached; nil does not.
	End func(story []journey.Record, w *journey.Walk) error
}

// AtMost allows so many messages within any stretch of time.
func AtMost(messages int, within time.Duration) Invariant {
	span := within.String()
	for _, zero := range []string{"m0s", "h0m"} { // 24h0m0s is 24h
		if strings.HasSuffix(span, zero) {
			span = span[:len(span)-2]
		}
	}
	return Invariant{
		Name: fmt.Sprintf("at most %d messages within %s", messages, span),
		Each: func(r journey.Record, before []journey.Record, _ *journey.Walk) error {
			if !sent(&r) {
				return nil
			}
			n := 1
			for i := range before {
				if sent(&before[i]) && r.At.Sub(before[i].At) < within {
					n++
				}
			}
			if n > messages {
				return fmt.Errorf("%d messages within %s", n, span)
			}
			return nil
		},
	}
}

func sent(r *journey.Record) bool {
	return r.EffectKind == journey.MessageEffect && r.State == journey.Confirmed
}

// NeverWithoutConsent demands consent for a purpose, on its channel, for every
// message, whatever purpose the message itself and the policy speak of.
func NeverWithoutConsent(purpose string) Invariant {
	return Invariant{
		Name: "never without consent for " + purpose,
		Each: func(r journey.Record, _ []journey.Record, w *journey.Walk) error {
			if !sent(&r) {
				return nil
			}
			if ok, why := w.Contact().Consented(purpose, r.Decision.Channel, "", r.At); !ok {
				return fmt.Errorf("%s on %s: %s", r.Name, r.Decision.Channel, why)
			}
			return nil
		},
	}
}

// NeverTwice allows each message and action once per customer and correlation key.
func NeverTwice(name string) Invariant {
	return Invariant{
		Name: name + " never twice",
		Each: func(r journey.Record, before []journey.Record, w *journey.Walk) error {
			if r.Name != name || r.Kind != journey.EffectRecord || r.State != journey.Confirmed {
				return nil
			}
			for i := range before {
				if b := &before[i]; b.Name == name && b.State == journey.Confirmed && keyOf(w, b.Instance) == keyOf(w, r.Instance) {
					return fmt.Errorf("%s for the second time", name)
				}
			}
			return nil
		},
	}
}

func keyOf(w *journey.Walk, instance string) string {
	for _, in := range w.Instances() {
		if in.ID == instance {
			return in.Journey + " " + in.Key
		}
	}
	return ""
}

// AlwaysEnds demands that no instance is open when the horizon is reached.
func AlwaysEnds() Invariant {
	return Invariant{
		Name: "always ends",
		End: func(_ []journey.Record, w *journey.Walk) error {
			for _, in := range w.Instances() {
				if in.Open() {
					return fmt.Errorf("%s is still in %s", in.Journey, in.State)
				}
			}
			return nil
		},
	}
}
