package profile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ConsentSchema names the information structure of a [ConsentReceipt].
const ConsentSchema = "ISO/IEC TS 27560:2023"

// ConsentReceiptFormat is the version of the JSON form of a [ConsentReceipt].
const ConsentReceiptFormat = 1

// ErrConsentReceipt reports JSON that is no [ConsentReceipt] of this format.
var ErrConsentReceipt = errors.New("profile: not a consent receipt of this format")

// ConsentReceipt is what a customer gets to hold of their consents: one record
// for each scope, in the sections of ISO/IEC TS 27560:2023 (header, processing,
// parties, events), whose field names its JSON has. What the directory knows is
// filled in; what only the controller can say comes from [ConsentTerms].
//
// A receipt is the customer's own: it holds addresses.
type ConsentReceipt struct {
	// Format is ConsentReceiptFormat.
	Format int `json:"format"`
	// Schema is ConsentSchema.
	Schema string `json:"schema_version"`
	// ID is a hash of all else, so that equal receipts have one.
	ID string `json:"receipt_id"`
	// At is the instant of which it tells.
	At time.Time `json:"receipt_time"`
	// Records are by purpose, channel, brand and address.
	Records []ConsentRecord `json:"consent_records"`
}

// ConsentRecord is a scope of consent with its history.
type ConsentRecord struct {
	// Schema is ConsentSchema.
	Schema string `json:"schema_version"`
	// ID follows from the customer and the scope.
	ID string `json:"record_id"`
	// Principal is the customer's present ID.
	Principal ID `json:"pii_principal_id"`
	// Processing says what for.
	Processing ConsentProcessing `json:"pii_processing"`
	// Parties are those of the terms.
	Parties []ConsentParty `json:"party_identification"`
	// Events are what was done, oldest first.
	Events []ConsentEvent `json:"consent_events"`
}

// ConsentProcessing is what was consented to.
type ConsentProcessing struct {
	Purpose string     `json:"purpose"`
	Channel string     `json:"channel,omitempty"`
	Address Identifier `json:"address,omitzero"`
	Brand   string     `json:"brand,omitempty"`
	PurposeTerms
}

// ConsentEvent is one step of a consent's life.
type ConsentEvent struct {
	At time.Time `json:"event_time"`
	// Validity is how long it holds from At, as an ISO 8601 duration, or
	// "unlimited".
	Validity string `json:"validity_duration"`
	// Entity acted: the customer's ID, or the guardian. An expiry has none.
	Entity string `json:"entity_id"`
	// Type is "explicit" or "inferred".
	Type string `json:"event_type"`
	// State is what it led to.
	State ConsentState `json:"event_state"`
	// Policy is the version of the text, Proof where the act can be looked up,
	// Event the event that reported it.
	Policy string `json:"policy_version,omitempty"`
	Proof  string `json:"proof,omitempty"`
	Event  string `json:"event,omitempty"`
}

// ConsentState is a state in the life of a consent.
type ConsentState string

// The states of consent. A double opt-in is requested, then given.
const (
	ConsentRequested ConsentState = "requested" // asked for, and not confirmed yet
	ConsentGiven     ConsentState = "given"
	ConsentRefused   ConsentState = "refused"   // said no, and had not consented
	ConsentWithdrawn ConsentState = "withdrawn" // took it back
	ConsentOver      ConsentState = "expired"
)

// ConsentTerms are what a controller states about the processing that it asks
// consent for.
type ConsentTerms struct {
	// Parties are the controller and those it shares with.
	Parties []ConsentParty
	// Purposes are the terms of each purpose. "*" stands for those not listed.
	Purposes map[string]PurposeTerms
}

// PurposeTerms are the terms of processing for one purpose. The fields are
// those of the specification's section on processing.
type PurposeTerms struct {
	PrivacyNotice          string   `json:"privacy_notice"` // where it can be read
	Language               string   `json:"language"`       // of the notice, by BCP 47
	PurposeType            string   `json:"purpose_type,omitempty"`
	LawfulBasis            string   `json:"lawful_basis,omitempty"`
	PII                    []string `json:"pii_information"` // kinds of data
	SensitivePII           []string `json:"sensitive_pii_category,omitempty"`
	Controllers            []string `json:"pii_controllers"` // by their ConsentParty.ID
	CollectionMethod       string   `json:"collection_method,omitempty"`
	ProcessingMethod       string   `json:"processing_method,omitempty"`
	StorageLocations       []string `json:"storage_locations"`
	RetentionPeriod        string   `json:"retention_period"`
	ProcessingLocations    []string `json:"processing_locations,omitempty"`
	GeographicRestrictions []string `json:"geographic_restrictions,omitempty"`
	Service                string   `json:"service,omitempty"`
	Jurisdiction           string   `json:"jurisdiction"`
	Recipients             []string `json:"recipient_third_parties"` // by their ConsentParty.ID; "none" for nobody
	WithdrawalMethod       string   `json:"withdrawal_method"`
	PrivacyRights          []string `json:"privacy_rights,omitempty"`
	CodesOfConduct         []string `json:"codes_of_conduct,omitempty"`
	ImpactAssessment       string   `json:"impact_assessment,omitempty"`
	Authority              string   `json:"authority_party,omitempty"`
}

// ConsentParty is a controller, processor or recipient.
type ConsentParty struct {
	ID      string `json:"party_id"`
	Name    string `json:"party_name"`
	Role    string `json:"party_role,omitempty"`
	Type    string `json:"party_type"`
	Address string `json:"party_address"`
	Contact string `json:"party_contact"`
	Email   string `json:"party_email,omitempty"`
	URL     string `json:"party_url,omitempty"`
	Phone   string `json:"party_phone,omitempty"`
}

// ConsentReceipt tells a customer, by a present or former ID, what they
// consented to as of a time, refusals and withdrawals included; errors as for
// [Directory.Resolve]. It is the history by scope: whether a given message may
// go out, with all scopes weighed, is for [Directory.May] to say.
func (d *Directory) ConsentReceipt(ctx context.Context, id ID, terms ConsentTerms, at time.Time) (ConsentReceipt, error) {
	r := ConsentReceipt{Format: ConsentReceiptFormat, Schema: ConsentSchema, At: canonical(at)}
	err := d.view(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		c, err := g.whole(id)
		if err != nil {
			return err
		}
		r.Records = c.consentRecords(terms, at)
		return nil
	})
	if err != nil {
		return ConsentReceipt{}, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return ConsentReceipt{}, fmt.Errorf("profile: consent receipt: %w", err)
	}
	sum := sha256.Sum256(b)
	r.ID = hex.EncodeToString(sum[:16])
	return r, nil
}

// consentRecords are the records of all scopes.
func (c *cluster) consentRecords(terms ConsentTerms, at time.Time) []ConsentRecord {
	var acts []consent
	for _, e := range c.evidence {
		for _, k := range e.consents() {
			if k.at <= at.UnixMicro() {
				acts = append(acts, k)
			}
		}
	}
	slices.SortFunc(acts, func(a, b consent) int {
		return cmp.Or(a.compareScope(&b), compareInt(a.at, b.at), a.compareAct(&b))
	})
	var records []ConsentRecord
	for len(acts) > 0 {
		n := 1
		for n < len(acts) && acts[n].compareScope(&acts[0]) == 0 {
			n++
		}
		records = append(records, c.consentRecord(terms, acts[:n], at))
		acts = acts[n:]
	}
	return records
}

func (k *consent) compareScope(l *consent) int {
	return slices.Compare(k.act.scope(), l.act.scope())
}

func (a *ConsentAct) scope() []string {
	return []string{a.Purpose, a.Channel, a.Brand, a.Address.Kind, a.Address.Value}
}

// compareAct orders acts of one instant: what was asked, granted, taken back.
func (k *consent) compareAct(l *consent) int {
	rank := func(a *ConsentAct) int64 {
		switch {
		case a.Pending:
			return 0
		case a.Granted:
			return 1
		}
		return 2
	}
	return cmp.Or(compareInt(rank(&k.act), rank(&l.act)), strings.Compare(k.event, l.event))
}

// consentRecord is the record of the acts of one scope, in order.
func (c *cluster) consentRecord(terms ConsentTerms, acts []consent, at time.Time) ConsentRecord {
	a := &acts[0].act
	scope, err := json.Marshal(append([]string{string(c.id())}, a.scope()...))
	if err != nil {
		scope = nil // texts always marshal
	}
	sum := sha256.Sum256(scope)
	of, ok := terms.Purposes[a.Purpose]
	if !ok {
		of = terms.Purposes["*"]
	}
	r := ConsentRecord{
		Schema: ConsentSchema, ID: hex.EncodeToString(sum[:16]), Principal: c.id(), Parties: terms.Parties,
		Processing: ConsentProcessing{Purpose: a.Purpose, Channel: a.Channel, Address: a.Address, Brand: a.Brand, PurposeTerms: of},
	}
	var grant *consent // that stands
	expire := func(until time.Time) {
		if grant != nil && grant.over(until) {
			r.Events = append(r.Events, ConsentEvent{
				At: grant.act.ExpiresAt, Validity: "unlimited", Type: typeOf(grant), State: ConsentOver, Event: grant.event,
			})
			grant = nil
		}
	}
	for i := range acts {
		k := &acts[i]
		expire(instant(k.at))
		e := ConsentEvent{
			At: instant(k.at), Validity: "unlimited", Entity: cmp.Or(k.act.Guardian, string(c.id())), Type: typeOf(k),
			Policy: k.act.Policy, Proof: k.act.Proof, Event: k.event,
		}
		if !k.act.ExpiresAt.IsZero() {
			e.Validity = durationOf(k.act.ExpiresAt.Sub(e.At))
		}
		switch {
		case k.act.Pending:
			e.State = ConsentRequested
		case k.act.Granted:
			e.State, grant = ConsentGiven, k
		case grant != nil:
			e.State, grant = ConsentWithdrawn, nil
		default:
			e.State = ConsentRefused
		}
		r.Events = append(r.Events, e)
	}
	expire(at)
	return r
}

func typeOf(k *consent) string {
	if k.act.Inferred {
		return "inferred"
	}
	return "explicit"
}

// durationOf writes a duration by ISO 8601, in days where it is whole ones.
func durationOf(d time.Duration) string {
	const day = 24 * time.Hour
	if d = max(d, 0); d%day == 0 {
		return fmt.Sprintf("P%dD", d/day)
	}
	seconds := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.6f", d.Seconds()), "0"), ".")
	return "PT" + seconds + "S"
}

// State is where the consent of this scope stands: that of its last event,
// where a request changes nothing about what was given before.
func (r ConsentRecord) State() ConsentState {
	var state ConsentState
	for _, e := range r.Events {
		if e.State != ConsentRequested || state != ConsentGiven {
			state = e.State
		}
	}
	return state
}

// String says it for people, without addresses.
func (r ConsentRecord) String() string {
	var b strings.Builder
	b.WriteString(r.Processing.Purpose)
	for _, s := range []struct{ by, what string }{{" by ", r.Processing.Channel}, {" at ", shortKind(r.Processing.Address)}, {" of ", r.Processing.Brand}} {
		if s.what != "" {
			b.WriteString(s.by + s.what)
		}
	}
	for _, e := range r.Events {
		fmt.Fprintf(&b, "; %s on %s", e.State, e.At.Format(time.DateOnly))
	}
	return b.String()
}

// Missing lists what the specification requires of a record and nobody stated,
// by the names of the JSON: "pii_processing.retention_period".
func (r ConsentRecord) Missing() []string {
	p := &r.Processing
	var out []string
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"pii_processing.privacy_notice", p.PrivacyNotice != ""},
		{"pii_processing.language", p.Language != ""},
		{"pii_processing.pii_information", len(p.PII) > 0},
		{"pii_processing.pii_controllers", len(p.Controllers) > 0},
		{"pii_processing.storage_locations", len(p.StorageLocations) > 0},
		{"pii_processing.retention_period", p.RetentionPeriod != ""},
		{"pii_processing.jurisdiction", p.Jurisdiction != ""},
		{"pii_processing.recipient_third_parties", len(p.Recipients) > 0},
		{"pii_processing.withdrawal_method", p.WithdrawalMethod != ""},
		{"party_identification", len(r.Parties) > 0},
	} {
		if !f.is {
			out = append(out, f.name)
		}
	}
	for i, party := range r.Parties {
		for _, f := range []struct{ name, is string }{
			{"party_id", party.ID},
			{"party_name", party.Name},
			{"party_type", party.Type},
			{"party_address", party.Address},
			{"party_contact", party.Contact},
		} {
			if f.is == "" {
				out = append(out, fmt.Sprintf("party_identification[%d].%s", i, f.name))
			}
		}
	}
	return out
}

// UnmarshalJSON reads what was written as JSON, and passes over fields that it
// does not know. Another format is [ErrConsentReceipt].
func (r *ConsentReceipt) UnmarshalJSON(b []byte) error {
	type plain ConsentReceipt
	var in plain
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrConsentReceipt, err)
	}
	if in.Format != ConsentReceiptFormat {
		return fmt.Errorf("%w: format %d", ErrConsentReceipt, in.Format)
	}
	*r = ConsentReceipt(in)
	return nil
}
