package world

import (
	"time"

	"github.com/cxkit/cxkit/profile"
)

// The audiences whose members the truth knows. An order counts from the moment
// of its payment as in [Order.CountsBy], with what [Order.NetBy] says, freight
// included. A window of n days up to an instant is n × 24 hours, without its
// first instant and with its last.
const (
	// LapsedVIP: gold on a card of their own, at least 3 net orders in 365
	// days, none of them in the last 90.
	LapsedVIP = "lapsed-vip"
	// NewMember: joined a brand in the last 30 days.
	NewMember = "new-member"
	// HighValue: net spend of at least 5,000 yuan in 365 days.
	HighValue = "high-value"
)

// Audiences lists the names.
func Audiences() []string { return []string{LapsedVIP, NewMember, HighValue} }

// Audience lists the persons who truly are in a named audience at the instant
// happened, by what had been reported at the instant arrived; nil for an
// unknown name. It counts all that they did, also where no feed could tell:
// [Truth.ScoreAudience] has the other measure too.
func (t *Truth) Audience(name string, happened, arrived time.Time) []string {
	var out []string
	for i, in := range t.audience(name, happened, arrived, nil) {
		if in {
			out = append(out, t.people[i].id)
		}
	}
	return out
}

// audience evaluates everybody; with main given, by the orders and cards of
// their main cluster alone.
func (t *Truth) audience(name string, happened, arrived time.Time, main []int32) []bool {
	year, quarter, month := happened.Add(-365*day), happened.Add(-90*day), happened.Add(-30*day)
	n := len(t.people)
	gold, fresh := make([]bool, n), make([]bool, n)
	orders, recent, spend := make([]int, n), make([]int, n), make([]int64, n)
	counts := func(person, record int32) bool {
		return main == nil || main[person] >= 0 && t.records[record].cluster == main[person]
	}
	for _, m := range t.members {
		if !m.Joined.By(happened, arrived) || !counts(int32(m.owner.index), m.Joined.record) {
			continue
		}
		i := m.owner.index
		fresh[i] = fresh[i] || m.Joined.At.After(month)
		if name == LapsedVIP {
			gold[i] = gold[i] || t.Tier(m.Card, happened, arrived) == "gold"
		}
	}
	for _, o := range t.orders {
		if !o.CountsBy(happened, arrived) || !o.Paid.At.After(year) || !counts(int32(o.buyer.index), o.Paid.record) {
			continue
		}
		i := o.buyer.index
		orders[i]++
		spend[i] += o.NetBy(happened, arrived)
		if o.Paid.At.After(quarter) {
			recent[i]++
		}
	}
	in := make([]bool, n)
	for i := range in {
		switch name {
		case LapsedVIP:
			in[i] = gold[i] && orders[i] >= 3 && recent[i] == 0
		case NewMember:
			in[i] = fresh[i]
		case HighValue:
			in[i] = spend[i] >= 5000_00
		}
	}
	return in
}

// Hits compares an audience with the truth.
type Hits struct {
	Expected int // persons who should be in
	Found    int // profiles that are in
	Right    int // of these, the main profile of somebody who should be
}

// Precision is Right ÷ Found, 1 where nobody was found.
func (h Hits) Precision() float64 { return ratio(int64(h.Right), int64(h.Found)) }

// Recall is Right ÷ Expected, 1 where nobody was expected.
func (h Hits) Recall() float64 { return ratio(int64(h.Right), int64(h.Expected)) }

// AudienceScore says how well an audience was found.
type AudienceScore struct {
	Name string
	// All compares with [Truth.Audience].
	All Hits
	// Knowable compares with the audience by what identifiers tell: the orders
	// and cards of the largest part of each person that they tie together.
	Knowable Hits
}

// ScoreAudience compares the profiles in an audience with the truth. assigned
// gives the profile of each event, as in [Truth.Score]; members says who is in;
// the instants are as in [Truth.Audience]. The main profile of a person is the
// one with most events of their largest part.
func (t *Truth) ScoreAudience(name string, happened, arrived time.Time, assigned map[string]profile.ID, members func(profile.ID) bool) AudienceScore {
	home, main := t.homes(assigned)
	found := map[profile.ID]bool{}
	for _, id := range assigned {
		if id != "" && !found[id] && members(id) {
			found[id] = true
		}
	}
	hits := func(in []bool) Hits {
		h := Hits{Found: len(found)}
		taken := map[profile.ID]bool{} // two persons in one profile are one hit
		for i, yes := range in {
			if !yes {
				continue
			}
			h.Expected++
			if main[i] < 0 {
				continue
			}
			if id := home[main[i]]; found[id] && !taken[id] {
				taken[id] = true
				h.Right++
			}
		}
		return h
	}
	return AudienceScore{
		Name:     name,
		All:      hits(t.audience(name, happened, arrived, nil)),
		Knowable: hits(t.audience(name, happened, arrived, main)),
	}
}
