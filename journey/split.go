package journey

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// Draw is the point from 0 to 9999 at which a customer stands in a split: a
// hash of journey, state and customer. A share of n percent takes the next
// n × 100 points in the order of declaration.
func Draw(journey, state string, customer profile.ID) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(journey + "\x00" + state + "\x00" + string(customer)))
	x := h.Sum64()
	x ^= x >> 33 // finalizer of MurmurHash3, public domain: spreads short keys
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return int(x % 10000)
}

// Draws are the branches of splits that a customer has drawn, as recorded: a
// [Simulation] of what happened takes them with its field of that name.
func (e *Engine) Draws(ctx context.Context, id profile.ID) ([]Arm, error) {
	f, err := e.store.Get(ctx, Lookup{Customer: id})
	return f.Contact.Arms, err
}

// same reports whether the other is of the same split.
func (a Arm) same(b Arm) bool { return a.Journey == b.Journey && a.State == b.State }

// arms are the branches that the customer has drawn in a journey, by state.
func (c *ContactRow) arms(d *Definition) map[string]string {
	if !d.splits {
		return nil
	}
	var out map[string]string
	for _, a := range c.Arms {
		if a.Journey == d.spec.Name {
			if out == nil {
				out = make(map[string]string, len(c.Arms))
			}
			out[a.State] = a.To
		}
	}
	return out
}

// drawn records a branch and reports whether that is news.
func (c *ContactRow) drawn(a Arm) bool {
	i := slices.IndexFunc(c.Arms, a.same)
	switch {
	case i < 0:
		c.Arms = append(slices.Clip(c.Arms), a)
	case c.Arms[i] == a:
		return false
	default: // the state no longer leads where it did
		c.Arms = slices.Clone(c.Arms)
		c.Arms[i] = a
	}
	return true
}
