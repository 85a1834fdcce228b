package profile

import (
	"time"

	"github.com/cxkit/cxkit/profile/commerce"
)

// Mode says whether an input happens now or fills in history.
type Mode uint8

const (
	// Live input builds state and may cause action. It is the zero Mode.
	Live Mode = iota
	// Backfill input builds state and never sends, awards, invites or starts
	// a service clock; what follows from it is marked so.
	Backfill
)

func (m Mode) String() string {
	if m == Backfill {
		return "backfill"
	}
	return "live"
}

// Identifier is one namespaced name under which a source knows a customer:
// {"phone", "+8613800138000"}, {"wechat.openid/wx12ab", "o6_bm…"}. What follows
// a slash in Kind is its scope (the app, platform, shop or brand that gave the
// value); the part before it names the rules that apply.
type Identifier struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Event is what a source reports: who was seen, what they did, what is known
// of them since. Its content is fixed by its ID.
type Event struct {
	// ID is unique in the directory; the same ID with the same content is a
	// duplicate, with other content an error.
	ID string `json:"id"`
	// Source names the reporting system: "app", "till", "tmall".
	Source string `json:"source,omitempty"`
	// Name says what happened: "product.viewed", "order.paid". Empty for a
	// bare report of traits or identifiers.
	Name string `json:"name,omitempty"`
	// Time is when it happened, by the source's clock.
	Time time.Time `json:"time"`
	// Mode is Live or Backfill.
	Mode Mode `json:"mode,omitempty"`
	// Brand is the scope within a group; empty is the whole group.
	Brand string `json:"brand,omitempty"`
	// Identifiers are the names seen together.
	Identifiers []Identifier `json:"identifiers"`
	// Traits are what the event says about the customer.
	Traits Values `json:"traits,omitempty"`
	// Properties describe the event itself.
	Properties Values `json:"properties,omitempty"`
	// Order is the commerce fact that the event carries, nil for none.
	Order *commerce.Event `json:"order,omitempty"`
	// Relations are what the event reports of relations to others.
	Relations []RelationAct `json:"relations,omitempty"`
	// Consents are the consent acts that the event reports.
	Consents []ConsentAct `json:"consents,omitempty"`
}
